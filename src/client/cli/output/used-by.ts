/** URLs of users by kind: {instances: ["c1"], profiles: ["default"]}. */
export function usedByText(urls: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const users: Record<string, string[]> = {};
  for (const url of urls) {
    const [kind = '', ...rest] = (url.split('?')[0] ?? '')
      .replace(/^\/1\.0\//, '')
      .split('/')
      .map(decodeURIComponent);
    (users[kind] ??= []).push(rest.join('/'));
  }
  for (const names of Object.values(users)) names.sort();
  return users;
}
