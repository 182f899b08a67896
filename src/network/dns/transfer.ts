import type { Signer } from './signature.ts';
import {
  type DnsQuery,
  type DnsRecord,
  packName,
  packRecord,
  packResponse,
  recordTypes,
  responseCodes,
} from './wire.ts';

/** What a zone holds beside its SOA; names are whole, without the final dot. */
export interface ZoneContent {
  readonly name: string;
  /** host names, without the final dot */
  readonly nameServers: readonly string[];
  readonly records: readonly Omit<DnsRecord, 'class'>[];
}

const internet = 1;
const soaTtl = 3600;
const nameServerTtl = 300;
// well below the 64 KiB of a message, with room for a signature
const messageBytes = 16_000;

/** The messages that hold a zone whole (RFC 5936): SOA, everything else, SOA again. */
export function packTransfer(query: DnsQuery, zone: ZoneContent, now: number, signer?: Signer): readonly Buffer[] {
  const soa = soaRecord(zone, now);
  const rest = zone.records.map(record => packRecord({ ...record, class: internet }));
  const batches: Buffer[][] = [[]];
  let size = 0;
  for (const record of [soa, ...nameServers(zone), ...rest, soa]) {
    if (size + record.length > messageBytes) {
      batches.push([]);
      size = 0;
    }
    batches.at(-1)?.push(record);
    size += record.length;
  }
  return batches.map((answers, index) => {
    const message = packResponse(query, { code: responseCodes.ok, answers, withQuestion: index === 0 });
    return signer ? signer.sign(message, now) : message;
  });
}

export function packSoa(query: DnsQuery, zone: ZoneContent, now: number, signer?: Signer): Buffer {
  const message = packResponse(query, { code: responseCodes.ok, answers: [soaRecord(zone, now)] });
  return signer ? signer.sign(message, now) : message;
}

function nameServers({ name, nameServers }: ZoneContent): readonly Buffer[] {
  return nameServers.map(server =>
    packRecord({ name, type: recordTypes.NS, class: internet, ttl: nameServerTtl, data: packName(server) }),
  );
}

/** The time is the serial: what a zone holds is made anew for every answer. */
function soaRecord({ name, nameServers }: ZoneContent, now: number): Buffer {
  const times = Buffer.alloc(20);
  for (const [index, value] of [now, 120, 60, 86_400, 30].entries()) times.writeUInt32BE(value % 2 ** 32, index * 4);
  const data = Buffer.concat([packName(nameServers[0] ?? name), packName(`hostmaster.${name}`), times]);
  return packRecord({ name, type: recordTypes.SOA, class: internet, ttl: soaTtl, data });
}
