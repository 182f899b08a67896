/** ICMP that IP cannot do without (RFC 792, RFC 4890): from guests to the host, and the other way. */
export const neededIcmp = {
  in: 'icmp type { 3, 11, 12 } accept',
  out: 'icmp type { 3, 11, 12 } accept',
  in6: 'icmpv6 type { 1, 2, 3, 4, 133, 135, 136, 143 } accept',
  out6: 'icmpv6 type { 1, 2, 3, 4, 128, 134, 135, 136, 143 } accept',
} as const;
