import type { IncomingHttpHeaders } from 'node:http';
import type { Settings } from '../settings/settings.ts';

/** Response headers that let web pages of the configured origins use the API; none unless core.https_allowed_* say so. */
export function crossOriginHeaders(
  settings: Settings,
  { origin }: IncomingHttpHeaders,
): Readonly<Record<string, string>> {
  const allowed = settings.get('core.https_allowed_origin');
  if (!allowed || origin === undefined) return {};
  const methods = settings.get('core.https_allowed_methods');
  const headers = settings.get('core.https_allowed_headers');
  return {
    'access-control-allow-origin': allowed,
    ...(methods && { 'access-control-allow-methods': methods }),
    ...(headers && { 'access-control-allow-headers': headers }),
    ...(settings.get('core.https_allowed_credentials') === 'true' && { 'access-control-allow-credentials': 'true' }),
  };
}

/** True when the configuration lets pages of this origin in. */
export function originAllowed(settings: Settings, origin: string | undefined): boolean {
  const allowed = settings.get('core.https_allowed_origin');
  return origin !== undefined && (allowed === '*' || allowed === origin);
}
