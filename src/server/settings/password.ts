import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

const keyBytes = 64;
// scrypt parameters (RFC 7914): 32 MiB of memory and some 100 ms for each guess
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 2 ** 20 };

/** "salt:key" in hex. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(32);
  return `${salt.toString('hex')}:${(await derive(password, salt)).toString('hex')}`;
}

export async function passwordFits(hash: string, password: string): Promise<boolean> {
  const [salt = '', key = ''] = hash.split(':');
  const expected = Buffer.from(key, 'hex');
  const given = await derive(password, Buffer.from(salt, 'hex'));
  return expected.length === given.length && timingSafeEqual(expected, given);
}

async function derive(password: string, salt: Buffer): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    scrypt(password, salt, keyBytes, cost, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
