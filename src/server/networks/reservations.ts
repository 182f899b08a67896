import { defaultProject } from '#api/common.ts';
import { parseBoolean } from '#base/config-schema.ts';
import { Lane } from '#base/lane.ts';
import type { NicReservation } from '#network/driver.ts';
import { listNics, type NicRecord } from '../database/network-nics.ts';
import { containerId } from '../paths.ts';
import type { NetworkServices } from './create-network.ts';

type Uses = Pick<NetworkServices, 'database' | 'networks' | 'networkControl' | 'events' | 'log'>;

/** Tells every network which NICs there are: they keep their names and addresses while their instances are down. */
export async function reserveNics({ database, networkControl, networks }: Uses): Promise<void> {
  const nics = await database.read(listNics);
  for (const name of networkControl.names()) {
    await networks.find(name)?.reserve(nics.filter(nic => nic.network === name).flatMap(reservationOf));
  }
}

function reservationOf({ project, instance, device, options, hardwareAddress }: NicRecord): readonly NicReservation[] {
  // Others that have the bridge as their parent are not on it.
  const joins = options['network'] || options['nictype'] === 'bridged';
  if (!joins || !hardwareAddress) return [];
  const filtering = (family: string): boolean => parseBoolean(options[`security.${family}_filtering`] ?? '') === true;
  return [
    {
      instance: containerId(project, instance),
      device,
      hostName: publishedName(project, instance),
      hardwareAddress,
      ...(options['ipv4.address'] && { ipv4Address: options['ipv4.address'] }),
      ...(options['ipv6.address'] && { ipv6Address: options['ipv6.address'] }),
      ipv4Filtering: filtering('ipv4'),
      ipv6Filtering: filtering('ipv6'),
    },
  ];
}

/** The name that DNS has for an instance, below the domain of its network. */
export function publishedName(project: string, instance: string): string {
  return project === defaultProject ? instance : `${instance}.${project}`;
}

// every fact that can change which NICs there are
const concerning = /^(instance-(created|deleted|renamed|restored|updated)|profile-|network-(created|updated|renamed))/;

/** Keeps reservations in step with instances and profiles; returns how to stop that. */
export function followInstances(services: Uses): () => void {
  const lane = new Lane(1);
  let waiting = false;
  return services.events.subscribe({ types: ['lifecycle'] }, ({ metadata }) => {
    if (waiting || !concerning.test((metadata as { readonly action: string }).action)) return;
    waiting = true;
    void lane.run(async () => {
      waiting = false;
      await reserveNics(services).catch((error: unknown) => {
        services.log.error('Failed telling networks of their NICs', { error });
      });
    });
  });
}
