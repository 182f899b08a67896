import { expect, test } from 'vitest';
import { openApiDocument } from './openapi.ts';
import { routes, upgradeRoutes } from './routes.ts';

test('the document has each route with its parameters and body', () => {
  const document = openApiDocument(routes, upgradeRoutes, '1') as { paths: Record<string, Record<string, object>> };
  expect(document.paths['/1.0/instances/{name}/state']?.['put']).toMatchObject({
    parameters: [{ name: 'name', in: 'path' }],
    requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
  });
  expect(document.paths['/1.0/events']?.['get']).toMatchObject({ responses: { 101: {} } });
});
