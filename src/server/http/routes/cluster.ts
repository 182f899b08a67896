import { ApiError } from '#api/error.ts';
import { assertEtag } from '../../etag.ts';
import { type Reply, type Route, sync } from '../route.ts';

/** What a server says of its cluster when it is in none. */
const alone = { server_name: '', enabled: false, member_config: [] };

interface ClusterPut {
  readonly server_name?: string;
  readonly enabled?: boolean;
}

export const clusterRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/cluster', access: 'trusted', handle: () => sync(alone, alone) },
  {
    method: 'PUT',
    path: '/1.0/cluster',
    access: 'admin',
    body: { type: 'object', properties: { server_name: { type: 'string' }, enabled: { type: 'boolean' } } },
    handle: (_services, { body, headers }) => {
      assertEtag(headers['if-match'], alone);
      const { server_name = '', enabled = false } = body as ClusterPut;
      // to leave the cluster that one is not in changes nothing
      if (server_name === '' && !enabled) return sync();
      throw new ApiError('unsupported', 'Cannot form or join a cluster: this release serves single servers only');
    },
  },
  ...notClustered('/1.0/cluster/members', 'GET', 'POST'),
  ...notClustered('/1.0/cluster/members/:name', 'GET', 'PUT', 'PATCH', 'POST', 'DELETE'),
  ...notClustered('/1.0/cluster/members/:name/state', 'POST'),
  ...notClustered('/1.0/cluster/groups', 'GET', 'POST'),
  ...notClustered('/1.0/cluster/groups/:name', 'GET', 'PUT', 'PATCH', 'POST', 'DELETE'),
  ...notClustered('/1.0/cluster/certificate', 'PUT'),
];

function notClustered(path: string, ...methods: readonly Route['method'][]): readonly Route[] {
  const handle = (): Reply => {
    throw new ApiError('invalid-argument', 'This server is not clustered');
  };
  return methods.map(method => ({ method, path, access: method === 'GET' ? 'trusted' : 'admin', handle }));
}
