import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import type { Certificate, CertificatesPost } from '#api/certificate.ts';
import type { Operation } from '#api/operation.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, type Format, formatOption, text } from '../command.ts';
import { encodeToken } from '../join-token.ts';
import { editObject, showYaml } from '../object-editing.ts';
import { shortDate } from '../output/dates.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';

export const trustCommands: readonly CommandSpec[] = [
  command({
    path: 'config trust list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List trusted clients',
    examples: [['config trust list', 'Show who may use the server over the network.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const certificates = await client.certificates.list();
      const { X509Certificate } = await import('node:crypto');
      await printList(session, options.format as Format, certificates, () => ({
        header: ['TYPE', 'NAME', 'COMMON NAME', 'FINGERPRINT', 'ISSUE DATE', 'EXPIRY DATE'],
        rows: certificates.map(entry => {
          const parsed = new X509Certificate(entry.certificate);
          const commonName = /^CN=(.*)$/m.exec(parsed.subject)?.[1] ?? '';
          const dates = [parsed.validFrom, parsed.validTo].map(date => shortDate(new Date(date).toISOString()));
          return [entry.type, entry.name, commonName, entry.fingerprint.slice(0, 12), ...dates];
        }),
      }));
    },
  }),
  command({
    path: 'config trust add',
    usage: '[<remote>:] [<cert>]',
    summary: 'Add new trusted client',
    details: 'Without a certificate a token is printed, which lets one client add itself with "lxd-like remote add".',
    examples: [
      ['config trust add --name laptop', 'Print a token for a new client.'],
      ['config trust add laptop.crt', 'Trust this certificate.'],
    ],
    options: {
      name: text('--name', 'Name of the client'),
      projects: text('--projects', 'Projects to restrict the certificate to, delimited by commas'),
      restricted: flag('--restricted', 'Restrict the certificate to one or more projects'),
      type: text('--type', 'Type of certificate', 'client', ['client', 'metrics']),
    },
    run: async (session, args, options) => {
      const [first = ''] = args;
      const hasRemote = args.length > 1 || first.endsWith(':');
      const { client } = await session.at(hasRemote ? first : '');
      const file = hasRemote ? args[1] : args[0];
      const common = {
        type: options.type as 'client' | 'metrics',
        restricted: options.restricted,
        projects: options.projects?.split(',') ?? [],
      };
      if (file !== undefined)
        return addCertificate(client, file, { ...common, ...(options.name ? { name: options.name } : {}) });
      const name = options.name ?? (await session.ask('Please provide client name: '));
      if (name === '') throw new ApiError('invalid-argument', 'Give the client a name with "--name"');
      const handle = await client.certificates.create({ ...common, name, token: true });
      if (!handle) throw new ApiError('unsupported', 'The server makes no tokens: add the certificate itself');
      if (!session.global.quiet) session.line(`Client ${name} certificate add token:`);
      session.line(encodeToken(name, handle.operation));
    },
  }),
  command({
    path: 'config trust remove',
    aliases: ['rm'],
    usage: '[<remote>:] [<fingerprint>]',
    summary: 'Remove trusted client',
    examples: [['config trust remove 1f2e3d', 'Trust this certificate no longer; its start is enough.']],
    run: async (session, args) => {
      const { client, name } = await fingerprintAt(session, args);
      await session.finish(client.certificates.delete(await wholeFingerprint(client, name)));
    },
  }),
  command({
    path: 'config trust show',
    usage: '[<remote>:]<fingerprint>',
    summary: 'Show trust configurations',
    examples: [['config trust show 1f2e3d', 'Print it as YAML.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'certificate');
      await showYaml(session, await client.certificates.get(await wholeFingerprint(client, name)));
    },
  }),
  command({
    path: 'config trust edit',
    usage: '[<remote>:]<fingerprint>',
    summary: 'Edit trust configurations as YAML',
    examples: [['config trust edit 1f2e3d', 'Change its name or restrictions in $EDITOR.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'certificate');
      const { value, etag } = await client.certificates.tagged(await wholeFingerprint(client, name));
      const { fingerprint, ...put } = value;
      await editObject(session, put, changed => client.certificates.replace(fingerprint, changed, etag));
    },
  }),
  command({
    path: 'config trust list-tokens',
    usage: '[<remote>:]',
    summary: 'List all active certificate add tokens',
    examples: [['config trust list-tokens', 'Show tokens that nobody has used yet.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const tokens = (await tokenOperations(client)).map(operation => ({
        ClientName: clientNameOf(operation),
        Token: encodeToken(clientNameOf(operation), operation),
        ExpiresAt: shortDate(operation.metadata?.['expiresAt'] as string | undefined),
      }));
      await printList(session, options.format as Format, tokens, () => ({
        header: ['NAME', 'TOKEN', 'EXPIRES AT'],
        rows: tokens.map(token => [token.ClientName, token.Token, token.ExpiresAt]),
      }));
    },
  }),
  command({
    path: 'config trust revoke-token',
    usage: '[<remote>:]<name>',
    summary: 'Revoke certificate add token',
    examples: [['config trust revoke-token laptop', 'Make the token of "laptop" useless.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'client');
      const operation = (await tokenOperations(client)).find(candidate => clientNameOf(candidate) === name);
      if (!operation)
        throw new ApiError('not-found', `Token of client "${name}" not found. See "lxd-like config trust list-tokens"`);
      await (await client.operation(operation.id)).cancel();
    },
  }),
];

async function addCertificate(client: Client, file: string, common: CertificatesPost): Promise<void> {
  const pem = readFileSync(file, 'utf8');
  const { pemBytes } = await import('../../http.ts');
  const name = common.name ?? path.basename(file).replace(/\.crt$/, '');
  await client.certificates.create({ ...common, name, certificate: pemBytes(pem).toString('base64') });
}

async function fingerprintAt(session: Session, args: readonly string[]): Promise<{ client: Client; name: string }> {
  const [first = '', second] = args;
  if (second === undefined) return session.object(first, 'certificate');
  return { client: (await session.at(first)).client, name: second };
}

async function wholeFingerprint(client: Client, start: string): Promise<string> {
  if (start.length === 64) return start;
  const found: readonly Certificate[] = (await client.certificates.list()).filter(entry =>
    entry.fingerprint.startsWith(start),
  );
  if (found.length > 1)
    throw new ApiError('invalid-argument', `Fingerprint "${start}" is the start of several: give more of it`);
  const [only] = found;
  if (!only) throw new ApiError('not-found', `Certificate "${start}" not found. See "lxd-like config trust list"`);
  return only.fingerprint;
}

async function tokenOperations(client: Client): Promise<readonly Operation[]> {
  const operations = await client.operations();
  return operations.filter(
    operation =>
      operation.class === 'token' &&
      operation.status === 'Running' &&
      operation.metadata?.['addresses'] &&
      clientNameOf(operation) !== '',
  );
}

function clientNameOf(operation: Operation): string {
  const request = operation.metadata?.['request'] as { readonly name?: string } | undefined;
  return request?.name ?? '';
}
