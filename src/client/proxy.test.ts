import { describe, expect, test } from 'vitest';
import { environmentProxies, isProxyUrl, proxyFor } from './proxy.ts';

const settings = { http: 'http://plain:3128', https: 'secure:8080', ignoreHosts: '' };
const way = (url: string, ignoreHosts = ''): string | undefined =>
  proxyFor(new URL(url), { ...settings, ignoreHosts })?.href;

describe('proxyFor', () => {
  test('goes by the scheme', () => {
    expect(way('http://images.example/')).toBe('http://plain:3128/');
    expect(way('https://images.example/')).toBe('http://secure:8080/');
    expect(proxyFor(new URL('https://a.example/'), { ...settings, https: '' })).toBeUndefined();
  });

  test.each(['http://localhost/', 'https://127.0.0.2:8443/', 'https://[::1]/'])('reaches %s directly', url => {
    expect(way(url)).toBeUndefined();
  });

  test.each([
    ['https://a.example/', '*'],
    ['https://a.example/', 'b.example, A.example'],
    ['https://x.a.example/', 'a.example'],
    ['https://x.a.example/', '.a.example'],
    ['https://x.a.example/', '*.a.example'],
    ['https://a.example/', 'a.example:443'],
    ['https://10.1.2.3/', '10.0.0.0/8'],
    ['https://10.1.2.3/', '10.1.2.3'],
    ['https://[2001:db8::1]/', '2001:db8::/32'],
    ['https://[2001:db8::1]:8443/', '[2001:db8::1]:8443'],
    ['https://[2001:db8::1]/', '2001:db8::1'],
  ])('reaches %s directly with %s', (url, ignored) => {
    expect(way(url, ignored)).toBeUndefined();
  });

  test.each([
    ['https://a.example/', '.a.example'],
    ['https://notexample/', 'example'],
    ['https://a.example/', 'a.example:8443'],
    ['https://10.1.2.3/', '11.0.0.0/8'],
    ['https://10.1.2.3/', '10.0.0.0/99'],
    ['https://a.example/', '10.0.0.0/8'],
  ])('reaches %s by the proxy with %s', (url, ignored) => {
    expect(way(url, ignored)).toBe('http://secure:8080/');
  });
});

test('the environment counts in either case', () => {
  expect(environmentProxies({ http_proxy: 'a', HTTPS_PROXY: 'b', no_proxy: '', NO_PROXY: 'c' })).toEqual({
    http: 'a',
    https: 'b',
    ignoreHosts: 'c',
  });
});

test.each(['ftp://proxy', 'http://', '://'])('%s is no proxy', text => {
  expect(isProxyUrl(text)).toBe(false);
  expect(() => proxyFor(new URL('http://a.example/'), { ...settings, http: text })).toThrow('is no URL of a proxy');
});
