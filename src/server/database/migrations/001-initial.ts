/**
 * The first schema of the global database. Tables and columns carry LXD's names where LXD has them, because scripts
 * read them; STRICT, no RETURNING, no DATETIME or BOOLEAN, so that dqlite serves the same statements. Times are
 * RFC 3339 text, booleans 0 or 1.
 */
export const initialSchema = `
CREATE TABLE config (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT;

CREATE TABLE certificates (
  id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, type INTEGER NOT NULL, name TEXT NOT NULL,
  certificate TEXT NOT NULL, restricted INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE projects (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE projects_config (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (project_id, key)) STRICT;
CREATE TABLE certificates_projects (
  certificate_id INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE, UNIQUE (certificate_id, project_id)) STRICT;

CREATE TABLE profiles (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', UNIQUE (project_id, name)) STRICT;
CREATE TABLE profiles_config (
  id INTEGER PRIMARY KEY, profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (profile_id, key)) STRICT;
CREATE TABLE profiles_devices (
  id INTEGER PRIMARY KEY, profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  name TEXT NOT NULL, UNIQUE (profile_id, name)) STRICT;
CREATE TABLE profiles_devices_config (
  id INTEGER PRIMARY KEY, profile_device_id INTEGER NOT NULL REFERENCES profiles_devices (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (profile_device_id, key)) STRICT;

CREATE TABLE storage_pools (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, description TEXT NOT NULL DEFAULT '',
  ready INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE storage_pools_config (
  id INTEGER PRIMARY KEY, storage_pool_id INTEGER NOT NULL REFERENCES storage_pools (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (storage_pool_id, key)) STRICT;
CREATE TABLE storage_volumes (
  id INTEGER PRIMARY KEY, storage_pool_id INTEGER NOT NULL REFERENCES storage_pools (id),
  project_id INTEGER NOT NULL REFERENCES projects (id), type TEXT NOT NULL, name TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '', creation_date TEXT NOT NULL,
  UNIQUE (storage_pool_id, project_id, type, name)) STRICT;
CREATE TABLE storage_volumes_config (
  id INTEGER PRIMARY KEY, storage_volume_id INTEGER NOT NULL REFERENCES storage_volumes (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (storage_volume_id, key)) STRICT;

CREATE TABLE networks (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id), name TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', ready INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE networks_config (
  id INTEGER PRIMARY KEY, network_id INTEGER NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (network_id, key)) STRICT;

CREATE TABLE images (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL, filename TEXT NOT NULL, size INTEGER NOT NULL, public INTEGER NOT NULL DEFAULT 0,
  architecture TEXT NOT NULL, creation_date TEXT NOT NULL, expiry_date TEXT NOT NULL, upload_date TEXT NOT NULL,
  last_use_date TEXT NOT NULL, cached INTEGER NOT NULL DEFAULT 0, auto_update INTEGER NOT NULL DEFAULT 0,
  split INTEGER NOT NULL DEFAULT 0, ready INTEGER NOT NULL DEFAULT 0, UNIQUE (project_id, fingerprint)) STRICT;
CREATE TABLE images_properties (
  id INTEGER PRIMARY KEY, image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (image_id, key)) STRICT;
CREATE TABLE images_profiles (
  image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE, UNIQUE (image_id, profile_id)) STRICT;
CREATE TABLE images_aliases (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL, image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  description TEXT NOT NULL DEFAULT '', UNIQUE (project_id, name)) STRICT;
CREATE TABLE images_source (
  id INTEGER PRIMARY KEY, image_id INTEGER NOT NULL UNIQUE REFERENCES images (id) ON DELETE CASCADE,
  server TEXT NOT NULL, protocol TEXT NOT NULL, certificate TEXT NOT NULL, alias TEXT NOT NULL) STRICT;

CREATE TABLE instances (
  id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id), name TEXT NOT NULL,
  architecture TEXT NOT NULL, ephemeral INTEGER NOT NULL DEFAULT 0, stateful INTEGER NOT NULL DEFAULT 0,
  creation_date TEXT NOT NULL, last_use_date TEXT NOT NULL, description TEXT NOT NULL DEFAULT '',
  storage_pool TEXT NOT NULL, ready INTEGER NOT NULL DEFAULT 0, UNIQUE (project_id, name)) STRICT;
CREATE TABLE instances_config (
  id INTEGER PRIMARY KEY, instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (instance_id, key)) STRICT;
CREATE TABLE instances_devices (
  id INTEGER PRIMARY KEY, instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  name TEXT NOT NULL, UNIQUE (instance_id, name)) STRICT;
CREATE TABLE instances_devices_config (
  id INTEGER PRIMARY KEY, instance_device_id INTEGER NOT NULL REFERENCES instances_devices (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (instance_device_id, key)) STRICT;
CREATE TABLE instances_profiles (
  id INTEGER PRIMARY KEY, instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  profile_id INTEGER NOT NULL REFERENCES profiles (id), apply_order INTEGER NOT NULL,
  UNIQUE (instance_id, profile_id)) STRICT;

CREATE TABLE instances_snapshots (
  id INTEGER PRIMARY KEY, instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  name TEXT NOT NULL, creation_date TEXT NOT NULL, expiry_date TEXT NOT NULL, stateful INTEGER NOT NULL DEFAULT 0,
  description TEXT NOT NULL DEFAULT '', architecture TEXT NOT NULL, ephemeral INTEGER NOT NULL DEFAULT 0,
  last_use_date TEXT NOT NULL, profiles TEXT NOT NULL, ready INTEGER NOT NULL DEFAULT 0,
  UNIQUE (instance_id, name)) STRICT;
CREATE TABLE instances_snapshots_config (
  id INTEGER PRIMARY KEY, instance_snapshot_id INTEGER NOT NULL REFERENCES instances_snapshots (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (instance_snapshot_id, key)) STRICT;
CREATE TABLE instances_snapshots_devices (
  id INTEGER PRIMARY KEY, instance_snapshot_id INTEGER NOT NULL REFERENCES instances_snapshots (id) ON DELETE CASCADE,
  name TEXT NOT NULL, UNIQUE (instance_snapshot_id, name)) STRICT;
CREATE TABLE instances_snapshots_devices_config (
  id INTEGER PRIMARY KEY,
  instance_snapshot_device_id INTEGER NOT NULL REFERENCES instances_snapshots_devices (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (instance_snapshot_device_id, key)) STRICT;

CREATE TABLE warnings (
  id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, project TEXT NOT NULL, entity TEXT NOT NULL, type TEXT NOT NULL,
  status TEXT NOT NULL, severity TEXT NOT NULL, first_seen_date TEXT NOT NULL, last_seen_date TEXT NOT NULL,
  count INTEGER NOT NULL, last_message TEXT NOT NULL, UNIQUE (project, entity, type)) STRICT;

INSERT INTO projects (id, name, description) VALUES (1, 'default', 'Default LXD project');
INSERT INTO projects_config (project_id, key, value) VALUES
  (1, 'features.images', 'true'), (1, 'features.networks', 'true'),
  (1, 'features.profiles', 'true'), (1, 'features.storage.volumes', 'true');
INSERT INTO profiles (project_id, name, description) VALUES (1, 'default', 'Default LXD profile');
`;
