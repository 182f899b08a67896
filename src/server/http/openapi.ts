import type { JsonSchema, Route, UpgradeRoute } from './route.ts';

/** An OpenAPI 3.0 document of a table of routes: paths, parameters and the bodies that their schemas describe. */
export function openApiDocument(routes: readonly Route[], upgrades: readonly UpgradeRoute[], version: string): object {
  const paths = new Map<string, Record<string, object>>();
  const add = (path: string, method: string, operation: object): void => {
    const key = templateOf(path);
    paths.set(key, { ...paths.get(key), [method.toLowerCase()]: operation });
  };
  for (const route of routes) add(route.path, route.method, describeRoute(route));
  for (const upgrade of upgrades) add(upgrade.path, 'GET', describeUpgrade(upgrade));
  return {
    openapi: '3.0.3',
    info: { title: "lxd-like: LXD's REST API 1.0 for system containers", version, license: { name: 'Apache-2.0' } },
    paths: Object.fromEntries([...paths].sort(([one], [other]) => (one < other ? -1 : 1))),
  };
}

function describeRoute({ path, body, access }: Route): object {
  return {
    tags: [tagOf(path)],
    parameters: parametersOf(path),
    ...(body !== undefined && { requestBody: { content: contentOf(body) } }),
    responses: { default: { description: "LXD's envelope, a file, or an error in the envelope" } },
    'x-access': access,
  };
}

function describeUpgrade({ path, protocol, access }: UpgradeRoute): object {
  return {
    tags: [tagOf(path)],
    parameters: parametersOf(path),
    responses: { 101: { description: `the connection goes on as ${protocol}` } },
    'x-access': access,
  };
}

function contentOf(body: NonNullable<Route['body']>): object {
  const json = (schema: JsonSchema): object => ({ 'application/json': { schema } });
  const stream = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
  if (body === 'stream') return stream;
  return body === 'json-or-stream' ? { ...json({ type: 'object' }), ...stream } : json(body);
}

function parametersOf(path: string): readonly object[] {
  const names = [...path.matchAll(/:(\w+)/g)].map(match => match[1] ?? '');
  return names.map(name => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
}

/** "/1.0/instances/:name" as "/1.0/instances/{name}". */
function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

function tagOf(path: string): string {
  return path.split('/')[2] ?? 'server';
}
