import type {
  NetworkZonePut,
  NetworkZoneRecordPut,
  NetworkZoneRecordsPost,
  NetworkZonesPost,
} from '#api/network-zone.ts';
import {
  createZoneRecord,
  deleteZoneRecord,
  showZoneRecord,
  showZoneRecords,
  updateZoneRecord,
  writableRecord,
} from '../../networks/zone-records.ts';
import { createZone, deleteZone, showZone, showZones, updateZone, writableZone } from '../../networks/zones.ts';
import type { Services } from '../../services.ts';
import { changeOf, wantsWhole } from '../request.ts';
import { type ApiRequest, created, type JsonSchema, type Reply, type Route, sync } from '../route.ts';

const text: JsonSchema = { type: 'string' };
const common = { description: text, config: { type: ['object', 'null'], additionalProperties: text } } as const;
const entry = { type: 'object', properties: { type: text, ttl: { type: 'integer' }, value: text } } as const;
const entries = { type: ['array', 'null'], maxItems: 1000, items: entry } as const;
const zonePut: JsonSchema = { type: 'object', properties: common };
const zonePost: JsonSchema = { type: 'object', required: ['name'], properties: { name: text, ...common } };
const recordPut: JsonSchema = { type: 'object', properties: { ...common, entries } };
const recordPost: JsonSchema = { type: 'object', required: ['name'], properties: { name: text, ...common, entries } };

const zones = '/1.0/network-zones';
const zone = `${zones}/:zone`;
const records = `${zone}/records`;
const record = `${records}/:name`;

export const networkZoneRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: zones,
    access: 'project',
    handle: async (services, { query }) => {
      const all = await showZones(services);
      return sync(wantsWhole(query) ? all : all.map(({ name }) => urlOf(name)));
    },
  },
  {
    method: 'POST',
    path: zones,
    access: 'admin',
    body: zonePost,
    handle: async (services, { body, caller }) => {
      const request = body as NetworkZonesPost;
      await createZone(services, request, caller.requestor);
      return created(urlOf(request.name));
    },
  },
  {
    method: 'GET',
    path: zone,
    access: 'project',
    handle: async (services, request) => {
      const found = await showZone(services, zoneOf(request));
      return sync(found, writableZone(found));
    },
  },
  { method: 'PUT', path: zone, access: 'admin', body: zonePut, handle: changeZone },
  { method: 'PATCH', path: zone, access: 'admin', body: zonePut, handle: changeZone },
  {
    method: 'DELETE',
    path: zone,
    access: 'admin',
    handle: async (services, request) => {
      await deleteZone(services, zoneOf(request), request.caller.requestor);
      return sync();
    },
  },
  {
    method: 'GET',
    path: records,
    access: 'project',
    handle: async (services, request) => {
      const all = await showZoneRecords(services, zoneOf(request));
      const whole = wantsWhole(request.query);
      return sync(whole ? all : all.map(({ name }) => recordUrl(zoneOf(request), name)));
    },
  },
  {
    method: 'POST',
    path: records,
    access: 'admin',
    body: recordPost,
    handle: async (services, request) => {
      const post = request.body as NetworkZoneRecordsPost;
      await createZoneRecord(services, zoneOf(request), post, request.caller.requestor);
      return created(recordUrl(zoneOf(request), post.name));
    },
  },
  {
    method: 'GET',
    path: record,
    access: 'project',
    handle: async (services, request) => {
      const found = await showZoneRecord(services, zoneOf(request), nameOf(request));
      return sync(found, writableRecord(found));
    },
  },
  { method: 'PUT', path: record, access: 'admin', body: recordPut, handle: changeRecord },
  { method: 'PATCH', path: record, access: 'admin', body: recordPut, handle: changeRecord },
  {
    method: 'DELETE',
    path: record,
    access: 'admin',
    handle: async (services, request) => {
      await deleteZoneRecord(services, zoneOf(request), nameOf(request), request.caller.requestor);
      return sync();
    },
  },
];

async function changeZone(services: Services, request: ApiRequest): Promise<Reply> {
  await updateZone(services, zoneOf(request), request.body as NetworkZonePut, changeOf(request, writableZone));
  return sync();
}

async function changeRecord(services: Services, request: ApiRequest): Promise<Reply> {
  const put = request.body as NetworkZoneRecordPut;
  await updateZoneRecord(services, zoneOf(request), nameOf(request), put, changeOf(request, writableRecord));
  return sync();
}

function zoneOf({ params }: ApiRequest): string {
  return params['zone'] ?? '';
}

function nameOf({ params }: ApiRequest): string {
  return params['name'] ?? '';
}

function urlOf(name: string): string {
  return `${zones}/${encodeURIComponent(name)}`;
}

function recordUrl(zoneName: string, name: string): string {
  return `${urlOf(zoneName)}/records/${encodeURIComponent(name)}`;
}
