import { execFileSync, spawn } from 'node:child_process';

const send = `
use Socket; my ($link, $hex) = @ARGV;
open(my $index, '<', "/proc/self/net/dev_snmp6/$link") or die; <$index> =~ /(\\d+)/ or die;
socket(my $raw, 17, SOCK_RAW, 0) or die $!;
send($raw, pack('H*', $hex), 0, pack('SnIS CCa8', 17, 0, $1, 0, 0, 6, '')) or die $!;
`;

const listen = `
use Socket; socket(my $raw, 17, SOCK_RAW, 0x0300) or die $!;
$| = 1; print "ready\\n"; my $end = time + $ARGV[0];
while (time < $end) {
  my $bits = ''; vec($bits, fileno($raw), 1) = 1;
  next unless select($bits, undef, undef, 0.2);
  recv($raw, my $frame, 2000, 0); print unpack('H*', $frame), "\\n";
}
`;

/** Sends an Ethernet frame, given in hexadecimal, from the network namespace of a process. */
export function sendFrame(pid: number, link: string, hex: string): void {
  const words = ['--net', '--target', String(pid), 'perl', '-e', send, link, hex.replace(/\s/g, '')];
  execFileSync('nsenter', words, { stdio: 'pipe' });
}

/** Frames that come to the network namespace of a process while `during` runs and a moment longer, in hexadecimal. */
export async function framesAt(pid: number, during: () => void): Promise<readonly string[]> {
  const words = ['--net', '--target', String(pid), 'perl', '-e', listen, '3'];
  const child = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  await new Promise<void>(resolve => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.startsWith('ready')) resolve();
    });
    child.on('exit', () => resolve());
  });
  during();
  await new Promise(resolve => child.on('close', resolve));
  return text.split('\n').slice(1);
}

function packed(address: string): string {
  if (!address.includes(':'))
    return address
      .split('.')
      .map(part => Number(part).toString(16).padStart(2, '0'))
      .join('');
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string): readonly string[] =>
    (part === '' ? [] : part.split(':')).map(group => group.padStart(4, '0'));
  const [left, right] = [groups(head), groups(tail)];
  const middle = Array.from({ length: 8 - left.length - right.length }, () => '0000');
  return [...left, ...middle, ...right].join('');
}

function hex16(value: number): string {
  return value.toString(16).padStart(4, '0');
}

function checksum(hex: string): string {
  let sum = 0;
  for (const word of hex.padEnd(Math.ceil(hex.length / 4) * 4, '0').match(/.{4}/g) ?? [])
    sum += Number.parseInt(word, 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return hex16(~sum & 0xffff);
}

export interface Sender {
  readonly mac: string;
  readonly ip: string;
}

function bare(mac: string): string {
  return mac.replaceAll(':', '');
}

/** "I have this address": an ARP reply to all. */
export function arpReply(frame: Sender, claimed: Sender): string {
  const body = `0001 0800 06 04 0002 ${bare(claimed.mac)} ${packed(claimed.ip)} ffffffffffff ${packed(claimed.ip)}`;
  return `ffffffffffff ${bare(frame.mac)} 0806 ${body}`;
}

function icmpv6(from: Sender, to: { readonly mac: string; readonly ip: string }, body: string): string {
  const message = body.replace(/\s/g, '');
  const length = message.length / 2;
  const addresses = packed(from.ip) + packed(to.ip);
  const sum = checksum(`${addresses}${length.toString(16).padStart(8, '0')}0000003a${message}`);
  const whole = message.slice(0, 4) + sum + message.slice(8);
  return `${bare(to.mac)} ${bare(from.mac)} 86dd 60000000 ${hex16(length)} 3aff ${addresses} ${whole}`;
}

const allNodes = { mac: '33:33:00:00:00:01', ip: 'ff02::1' };

/** "I have this address": a neighbour advertisement to all nodes. */
export function neighbourAdvertisement(from: Sender, claimed: Sender): string {
  return icmpv6(from, allNodes, `8800 0000 20000000 ${packed(claimed.ip)} 0201 ${bare(claimed.mac)}`);
}

export function routerAdvertisement(from: Sender): string {
  return icmpv6(from, allNodes, `8600 0000 4000 0708 00000000 00000000 0101 ${bare(from.mac)}`);
}

/** A UDP packet over IPv4 to all. */
export function udpBroadcast(from: Sender, ports: readonly [number, number], payload: string): string {
  const data = payload.replace(/\s/g, '');
  const udp = `${hex16(ports[0])}${hex16(ports[1])}${hex16(data.length / 2 + 8)}0000${data}`;
  const head = `4500${hex16(udp.length / 2 + 20)}000000004011`;
  const addresses = `${packed(from.ip)}ffffffff`;
  return `ffffffffffff ${bare(from.mac)} 0800 ${head}${checksum(`${head}0000${addresses}`)}${addresses}${udp}`;
}

/** A DHCP message: operation 1 asks, 2 offers (RFC 2131). */
export function dhcpMessage(operation: 1 | 2, client: string): string {
  const message = operation === 1 ? '01' : '02';
  return `0${String(operation)}0106003903f32600008000${'0'.repeat(32)}${bare(client)}${'0'.repeat(20 + 384)}638253633501${message}ff`;
}
