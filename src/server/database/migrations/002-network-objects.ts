/** Access lists, forwards and DNS zones of networks. Rules, ports and entries are JSON, as LXD keeps them. */
export const networkObjects = `
CREATE TABLE networks_acls (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE, name TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '', ingress TEXT NOT NULL, egress TEXT NOT NULL, UNIQUE (project_id, name)) STRICT;
CREATE TABLE networks_acls_config (
  id INTEGER PRIMARY KEY, network_acl_id INTEGER NOT NULL REFERENCES networks_acls (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (network_acl_id, key)) STRICT;

CREATE TABLE networks_forwards (
  id INTEGER PRIMARY KEY, network_id INTEGER NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
  listen_address TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', ports TEXT NOT NULL,
  UNIQUE (network_id, listen_address)) STRICT;
CREATE TABLE networks_forwards_config (
  id INTEGER PRIMARY KEY, network_forward_id INTEGER NOT NULL REFERENCES networks_forwards (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (network_forward_id, key)) STRICT;

CREATE TABLE networks_zones (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL UNIQUE, description TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE networks_zones_config (
  id INTEGER PRIMARY KEY, network_zone_id INTEGER NOT NULL REFERENCES networks_zones (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (network_zone_id, key)) STRICT;
CREATE TABLE networks_zones_records (
  id INTEGER PRIMARY KEY, network_zone_id INTEGER NOT NULL REFERENCES networks_zones (id) ON DELETE CASCADE,
  name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', entries TEXT NOT NULL,
  UNIQUE (network_zone_id, name)) STRICT;
CREATE TABLE networks_zones_records_config (
  id INTEGER PRIMARY KEY,
  network_zone_record_id INTEGER NOT NULL REFERENCES networks_zones_records (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (network_zone_record_id, key)) STRICT;
`;
