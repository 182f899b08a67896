/** Error classes of the API with their HTTP status. Codes are public and never change meaning. */
export const errorStatus = {
  'invalid-argument': 400,
  unauthenticated: 401,
  'permission-denied': 403,
  'not-found': 404,
  'already-exists': 409,
  busy: 409,
  'failed-precondition': 400,
  'etag-mismatch': 412,
  canceled: 499,
  internal: 500,
  unsupported: 501,
  unavailable: 503,
  'out-of-space': 507,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/** A failure whose reason is known, with a code that the caller can act on. Anything else is a bug or the host's fault. */
export class ApiError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'ApiError';
    this.code = code;
  }

  get status(): number {
    return errorStatus[this.code];
  }

  static is(error: unknown, code?: ErrorCode): error is ApiError {
    return error instanceof ApiError && (code === undefined || error.code === code);
  }
}

export function invalid(field: string, reason: string): ApiError {
  return new ApiError('invalid-argument', `Invalid "${field}": ${reason}`);
}

export function notFound(what: string, name: string): ApiError {
  return new ApiError('not-found', `${what} "${name}" not found`);
}

export function alreadyExists(what: string, name: string): ApiError {
  return new ApiError('already-exists', `${what} "${name}" already exists`);
}
