import { expect, test } from 'vitest';
import { checkPeer } from './dial.ts';

test.each([
  ['http://a:1/1.0/operations/0d1f4a3e-0000-4000-8000-000000000000', 'must be the https URL'],
  ['https://a:1/1.0/instances/x', 'must be the https URL'],
  ['https://a:1/1.0/operations/../../x', 'must be the https URL'],
  ['file:///etc/passwd', 'must be the https URL'],
  ['', 'must be the https URL'],
])('a peer at %s is refused', (operation, reason) => {
  expect(() => checkPeer({ operation, secrets: { control: 'a', fs: 'b' } }, 'source')).toThrow(reason);
});

test('a peer needs secrets, and a certificate that is one', () => {
  const operation = 'https://a:1/1.0/operations/0d1f4a3e-0000-4000-8000-000000000000';
  expect(() => checkPeer({ operation, secrets: { control: 'a' } }, 'source')).toThrow('"fs"');
  const bad = { operation, certificate: 'x', secrets: { control: 'a', fs: 'b' } };
  expect(() => checkPeer(bad, 'source')).toThrow('no certificate');
});
