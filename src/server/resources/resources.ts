export async function readResources(): Promise<unknown> {
  return {};
}
