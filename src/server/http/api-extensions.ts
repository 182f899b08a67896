export const apiExtensions: readonly string[] = ['etag', 'patch'];
