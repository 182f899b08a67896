/** Backups of instances and custom volumes that are kept on the server. */
export const backupsSchema = `
CREATE TABLE instances_backups (
  id INTEGER PRIMARY KEY, instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  name TEXT NOT NULL, creation_date TEXT NOT NULL, expiry_date TEXT NOT NULL,
  container_only INTEGER NOT NULL DEFAULT 0, optimized_storage INTEGER NOT NULL DEFAULT 0,
  ready INTEGER NOT NULL DEFAULT 0, UNIQUE (instance_id, name)) STRICT;
CREATE TABLE storage_volumes_backups (
  id INTEGER PRIMARY KEY, storage_volume_id INTEGER NOT NULL REFERENCES storage_volumes (id) ON DELETE CASCADE,
  name TEXT NOT NULL, creation_date TEXT NOT NULL, expiry_date TEXT NOT NULL,
  volume_only INTEGER NOT NULL DEFAULT 0, optimized_storage INTEGER NOT NULL DEFAULT 0,
  ready INTEGER NOT NULL DEFAULT 0, UNIQUE (storage_volume_id, name)) STRICT;
`;
