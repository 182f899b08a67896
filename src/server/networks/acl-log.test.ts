import { expect, test } from 'vitest';
import { renderLog } from './acl-log.ts';

const logged = { action: 'drop', state: 'logged' };
const tcp =
  '4,1,2000000,-;br0-ingress-1 IN=eth0 OUT=br0 SRC=192.0.2.1 DST=10.9.8.7 LEN=60 PROTO=TCP SPT=5000 DPT=22 WINDOW=1\n SUBSYSTEM=x\n';
const icmp = '4,2,3500000,-;br0-egress-0 IN=br0 OUT= SRC=10.9.8.7 DST=10.9.8.1 PROTO=ICMP TYPE=8 CODE=0 ID=1\n';

test('only records of logged rules on networks of the list are shown', () => {
  const acl = { ingress: [{ action: 'allow', state: 'enabled' }, logged], egress: [{ ...logged, action: 'reject' }] };
  const others = [
    '4,3,1,-;br1-ingress-1 IN=a\n',
    '4,4,1,-;br0-ingress-0 IN=a\n',
    '4,5,1,-;br0-ingress-9 \n',
    'garbage',
  ];
  expect(renderLog([tcp, ...others, icmp], acl, ['br0'], 0)).toBe(
    `${JSON.stringify({
      time: '1970-01-01T00:00:02.000Z',
      proto: 'TCP',
      src: '192.0.2.1',
      dst: '10.9.8.7',
      src_port: '5000',
      dst_port: '22',
      action: 'drop',
    })}\n${JSON.stringify({
      time: '1970-01-01T00:00:03.500Z',
      proto: 'ICMP',
      src: '10.9.8.7',
      dst: '10.9.8.1',
      icmp_type: '8',
      icmp_code: '0',
      action: 'reject',
    })}\n`,
  );
});
