/** What `nft list ruleset` prints under LXD 5.0.2 for the configs of stock-rules.contract.test.ts; "TABLE" for its table. */
const services = {
  in4: `icmp type { destination-unreachable, time-exceeded, parameter-problem } accept`,
  in6: `icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept`,
  out6: `icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept`,
};

const ownChains = `	chain pstrt.br0 {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.9.8.0/24 ip daddr != 10.9.8.0/24 masquerade
		ip6 saddr fd42:1:2:3::/64 ip6 daddr != fd42:1:2:3::/64 masquerade
	}

	chain fwd.br0 {
		type filter hook forward priority filter; policy accept;
		ip version 4 oifname "br0" accept
		ip version 4 iifname "br0" accept
		ip6 version 6 oifname "br0" accept
		ip6 version 6 iifname "br0" accept
	}

	chain in.br0 {
		type filter hook input priority filter; policy accept;
		iifname "br0" tcp dport 53 accept
		iifname "br0" udp dport 53 accept
		iifname "br0" ${services.in4}
		iifname "br0" udp dport 67 accept
		iifname "br0" ${services.in6}
		iifname "br0" udp dport 547 accept
	}

	chain out.br0 {
		type filter hook output priority filter; policy accept;
		oifname "br0" tcp sport 53 accept
		oifname "br0" udp sport 53 accept
		oifname "br0" ${services.in4}
		oifname "br0" udp sport 67 accept
		oifname "br0" ${services.out6}
		oifname "br0" udp sport 547 accept
	}
`;

export const plainBridge = `table inet TABLE {
${ownChains}}
`;

export const bridgeWithLists = `table inet TABLE {
	chain acl.br0 {
		ct state established,related accept
		oifname "br0" ip6 nexthdr ipv6-icmp icmpv6 type echo-request drop
		iifname "br0" ip daddr 10.1.0.0/16 udp sport 53 udp dport 1-100 log prefix "br0-egress-0 " drop
		iifname "br0" ip6 daddr 2001:db8::/32 udp sport 53 udp dport 1-100 log prefix "br0-egress-0 " drop
		oifname "br0" tcp dport 22 drop
		oifname "br0" ip protocol icmp icmp type echo-request icmp code net-unreachable log prefix "br0-ingress-2 " reject with icmp port-unreachable
		oifname "br0" ip protocol icmp reject with icmp port-unreachable
		iifname "br0" ip6 daddr 2001:db8::/32 meta l4proto udp reject with icmpv6 port-unreachable
		iifname "br0" ip daddr 10.2.0.0/16 reject with icmp port-unreachable
		iifname "br0" meta l4proto tcp reject
		oifname "br0" ip saddr { 10.0.0.0/8, 192.168.1.1 } tcp dport { 80, 443, 8000-8010 } accept
		oifname "br0" ip saddr 10.1.0.0/16 tcp dport 81 accept
		oifname "br0" ip6 saddr fd00::/8 tcp dport 81 accept
		oifname "br0" log prefix "br0-ingress-5 " accept
		oifname "br0" ip saddr { 10.0.0.1-10.0.0.9, 192.168.1.0/24 } accept
		oifname "br0" ip6 saddr fd00::1-fd00::9 accept
		oifname "br0" ip6 daddr fd42:1:2:3::7 accept
		iifname "br0" accept
		iifname "br0" tcp dport 22 accept
		iifname "br0" log prefix "br0-egress " accept
		oifname "br0" log prefix "br0-ingress " drop
	}

	chain aclin.br0 {
		type filter hook input priority filter; policy accept;
		iifname "br0" tcp dport 53 accept
		iifname "br0" udp dport 53 accept
		iifname "br0" udp dport 67 accept
		iifname "br0" udp dport 547 accept
		iifname "br0" ${services.in4}
		iifname "br0" ${services.in6}
		iifname "br0" jump acl.br0
	}

	chain aclout.br0 {
		type filter hook output priority filter; policy accept;
		oifname "br0" udp sport 67 accept
		oifname "br0" udp sport 547 accept
		oifname "br0" ${services.in4}
		oifname "br0" ${services.out6}
		oifname "br0" jump acl.br0
	}

	chain aclfwd.br0 {
		type filter hook forward priority filter; policy accept;
		iifname "br0" jump acl.br0
		oifname "br0" jump acl.br0
	}

${ownChains}
	chain fwdprert.br0 {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 192.0.2.2 tcp dport 80 dnat ip to 10.9.8.8:80
		ip daddr 192.0.2.2 tcp dport 443 dnat ip to 10.9.8.8:444
		ip6 daddr 2001:db8::5 tcp dport 80 dnat ip6 to [fd42:1:2:3::8]:80
		ip daddr 192.0.2.2 dnat ip to 10.9.8.7
		ip6 daddr 2001:db8::5 dnat ip6 to fd42:1:2:3::9
	}

	chain fwdout.br0 {
		type nat hook output priority -100; policy accept;
		ip daddr 192.0.2.2 tcp dport 80 dnat ip to 10.9.8.8:80
		ip daddr 192.0.2.2 tcp dport 443 dnat ip to 10.9.8.8:444
		ip6 daddr 2001:db8::5 tcp dport 80 dnat ip6 to [fd42:1:2:3::8]:80
		ip daddr 192.0.2.2 dnat ip to 10.9.8.7
		ip6 daddr 2001:db8::5 dnat ip6 to fd42:1:2:3::9
	}

	chain fwdpstrt.br0 {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.9.8.8 ip daddr 10.9.8.8 tcp dport 80 masquerade
		ip saddr 10.9.8.8 ip daddr 10.9.8.8 tcp dport 444 masquerade
		ip6 saddr fd42:1:2:3::8 ip6 daddr fd42:1:2:3::8 tcp dport 80 masquerade
		ip saddr 10.9.8.7 ip daddr 10.9.8.7 masquerade
		ip6 saddr fd42:1:2:3::9 ip6 daddr fd42:1:2:3::9 masquerade
	}
}
`;

/** Of LXD's chain "in.c1.eth0" with all filters; ours has further drops between these. */
export const filteredNic: readonly string[] = [
  'ether saddr != 00:16:3e:20:e5:8d drop',
  'arp saddr ether != 00:16:3e:20:e5:8d drop',
  'icmpv6 type nd-neighbor-advert @nh,528,48 != 0x163e20e58d drop',
  'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp dport 67 accept',
  'arp saddr ip 10.9.8.7 accept',
  'ip saddr 10.9.8.7 accept',
  'ether type arp drop',
  'ether type ip drop',
  'ip6 saddr fe80::/10 ip6 daddr ff02::1:2 udp dport 547 accept',
  'ip6 saddr fe80::/10 ip6 daddr ff02::2 icmpv6 type nd-router-solicit accept',
  'icmpv6 type nd-router-advert drop',
  'icmpv6 type nd-neighbor-advert @nh,384,128 0xfd420001000200030000000000000007 accept',
  'ip6 saddr fd42:1:2:3::7 accept',
  'ether type ip6 drop',
  'ether type != { ip, arp, ip6 } drop',
];
