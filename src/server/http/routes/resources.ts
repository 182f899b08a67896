import { readResources } from '../../resources/resources.ts';
import { type Route, sync } from '../route.ts';

export const resourceRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/resources', access: 'trusted', handle: async () => sync(await readResources()) },
];
