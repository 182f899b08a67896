import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { ApiError } from '#api/error.ts';
import type { JsonSchema } from './route.ts';

const compiled = new WeakMap<JsonSchema, ValidateFunction>();
let ajv: Ajv | undefined;

/** Checks a body against its route's schema, compiled at first use; throws "invalid-argument" that names the member. */
export function validateBody(schema: JsonSchema, body: unknown): void {
  dropNulls(schema, body);
  let validate = compiled.get(schema);
  if (!validate) {
    ajv ??= new Ajv({ strict: false, coerceTypes: false, removeAdditional: false, useDefaults: false });
    compiled.set(schema, (validate = ajv.compile(schema)));
  }
  if (!validate(body)) throw new ApiError('invalid-argument', describe(validate.errors?.[0]));
}

/** Clients in Go write null for "absent"; members that the schema declares are taken so, unknown ones are not touched. */
function dropNulls(schema: JsonSchema, value: unknown): void {
  const properties = schema['properties'];
  if (!isObject(properties) || !isObject(value)) return;
  for (const [name, rule] of Object.entries(properties)) {
    if (!Object.hasOwn(value, name) || !isObject(rule)) continue;
    if (value[name] === null && !allowsNull(rule)) delete value[name];
    else dropNulls(rule, value[name]);
  }
}

function allowsNull(rule: Record<string, unknown>): boolean {
  const { type } = rule;
  return rule['nullable'] === true || type === 'null' || (Array.isArray(type) && type.includes('null'));
}

function describe(error: ErrorObject | undefined): string {
  if (!error) return 'The body does not have the expected form';
  const at = error.instancePath
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
  const { params } = error as { params: Record<string, unknown> };
  if (error.keyword === 'required') return `Missing "${member(at, params['missingProperty'])}"`;
  if (error.keyword === 'additionalProperties') return `Unknown "${member(at, params['additionalProperty'])}"`;
  if (error.keyword === 'enum')
    return `Invalid "${at}": must be one of ${(params['allowedValues'] as unknown[]).map(String).join(', ')}`;
  if (at === '') return `Invalid body: ${error.message ?? 'it does not have the expected form'}`;
  return `Invalid "${at}": ${error.message ?? 'it does not have the expected form'}`;
}

function member(at: string, name: unknown): string {
  return at === '' ? String(name) : `${at}.${String(name)}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
