// Prints the OpenAPI document of the daemon's routes; scripts/build.mjs writes it to dist/openapi.json.
import { routes, upgradeRoutes } from '../src/server/http/routes.ts';
import { openApiDocument } from '../src/server/http/openapi.ts';

process.stdout.write(`${JSON.stringify(openApiDocument(routes, upgradeRoutes, process.argv[2] ?? ''), null, 1)}\n`);
