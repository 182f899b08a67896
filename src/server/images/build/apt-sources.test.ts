import { describe, expect, test } from 'vitest';
import { archiveOf, parseDeb822, parseList } from './apt-sources.ts';
import { mirrorProblem } from './archive.ts';

const deb822 = `# a comment
Types: deb deb-src
URIs: http://mirror.test/debian
# snapshot
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.test/
Suites: bookworm
Components: main

Types: deb
URIs: http://third.test/apt
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
`;

describe('apt sources', () => {
  test('deb822 style', () => {
    expect(parseDeb822(deb822).map(({ uris, components }) => [uris[0], components])).toEqual([
      ['http://mirror.test/debian', ['main']],
      ['http://mirror.test/debian-security', ['main', 'contrib']],
      ['http://third.test/apt', ['main']],
    ]);
  });

  test('one-line style', () => {
    const text = `
# deb http://old.test/debian bookworm main
deb [ arch=amd64 signed-by=/k/docker.gpg ] http://third.test/linux bookworm stable # here
deb-src http://mirror.test/debian bookworm main
 deb http://mirror.test/debian bookworm main contrib`;
    expect(parseList(text)).toEqual([
      { uris: ['http://third.test/linux'], suites: ['bookworm'], components: ['stable'], signedBy: '/k/docker.gpg' },
      {
        uris: ['http://mirror.test/debian'],
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        signedBy: undefined,
      },
    ]);
  });

  test("the archive is the distribution's own, not that of others with the same release names", () => {
    const others = parseList('deb [signed-by=/k/third.gpg] http://third.test/apt bookworm main');
    expect(archiveOf([...others, ...parseDeb822(deb822)], 'debian', 'bookworm')).toEqual({
      main: 'http://mirror.test/debian',
      security: 'http://mirror.test/debian-security',
    });
    expect(archiveOf(others, 'debian', 'bookworm')).toBeUndefined();
    expect(archiveOf(parseDeb822(deb822), 'ubuntu', 'noble')).toBeUndefined();
  });
});

test('mirrorProblem() takes plain http and https URLs only', () => {
  const good = ['http://mirror.test/debian', 'https://10.0.0.1:8080/ubuntu/', 'http://[::1]/d', 'http://m.test'];
  const bad = [
    'file:///etc',
    'http://u:p@m.test/',
    'http://m.test/a b',
    'http://m.test/\ndeb x',
    'ftp://m.test/',
    'http://m.test/?q',
    '',
  ];
  expect(good.filter(mirror => mirrorProblem(mirror) !== undefined)).toEqual([]);
  expect(bad.filter(mirror => mirrorProblem(mirror) === undefined)).toEqual([]);
});
