/** Keys of networks that name zones. */
export const zoneReferences = ['dns.zone.forward', 'dns.zone.reverse.ipv4', 'dns.zone.reverse.ipv6'] as const;
