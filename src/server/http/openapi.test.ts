import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { installedPath } from '#base/install-root.ts';
import { openApiDocument } from './openapi.ts';
import { routes, upgradeRoutes } from './routes.ts';
import { lxdPaths } from './testing/lxd-paths.ts';

const answered = new Set([
  ...routes.map(({ method, path }) => `${method} ${anonymous(path)}`),
  ...upgradeRoutes.map(({ path }) => `GET ${anonymous(path)}`),
]);

function anonymous(path: string): string {
  return path.replaceAll(/:\w+/g, ':x');
}

test("every method of LXD's document is answered, or the compatibility page says that it is not", () => {
  const page = readFileSync(installedPath('docs/compatibility.md'), 'utf8');
  const missing = lxdPaths.flatMap(line => {
    const [path = '', ...methods] = line.split(' ').reverse();
    return methods
      .map(method => `${method} ${path}`)
      .filter(pair => !answered.has(pair) && !page.includes(`\`${path}\``));
  });
  expect(missing).toEqual([]);
});

test('the document has each route with its parameters and body', () => {
  const document = openApiDocument(routes, upgradeRoutes, '1') as { paths: Record<string, Record<string, object>> };
  expect(document.paths['/1.0/instances/{name}/state']?.['put']).toMatchObject({
    parameters: [{ name: 'name', in: 'path' }],
    requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
  });
  expect(document.paths['/1.0/events']?.['get']).toMatchObject({ responses: { 101: {} } });
});
