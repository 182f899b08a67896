/**
 * Custom volumes with their snapshots. Types and content types are LXD's numbers: 0 container, 2 custom; 0 filesystem.
 * The volume of an instance follows its row by triggers, so that readers of the table find it as in LXD's.
 */
export const volumesSchema = `
DROP TABLE storage_volumes_config;
DROP TABLE storage_volumes;
CREATE TABLE storage_volumes (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, storage_pool_id INTEGER NOT NULL REFERENCES storage_pools (id),
  type INTEGER NOT NULL, description TEXT NOT NULL DEFAULT '', project_id INTEGER NOT NULL REFERENCES projects (id),
  content_type INTEGER NOT NULL DEFAULT 0, creation_date TEXT NOT NULL, ready INTEGER NOT NULL DEFAULT 0,
  UNIQUE (storage_pool_id, project_id, type, name)) STRICT;
CREATE TABLE storage_volumes_config (
  id INTEGER PRIMARY KEY, storage_volume_id INTEGER NOT NULL REFERENCES storage_volumes (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (storage_volume_id, key)) STRICT;
CREATE TABLE storage_volumes_snapshots (
  id INTEGER PRIMARY KEY, storage_volume_id INTEGER NOT NULL REFERENCES storage_volumes (id) ON DELETE CASCADE,
  name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', creation_date TEXT NOT NULL, expiry_date TEXT NOT NULL,
  ready INTEGER NOT NULL DEFAULT 0, UNIQUE (storage_volume_id, name)) STRICT;
CREATE TABLE storage_volumes_snapshots_config (
  id INTEGER PRIMARY KEY,
  storage_volume_snapshot_id INTEGER NOT NULL REFERENCES storage_volumes_snapshots (id) ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (storage_volume_snapshot_id, key)) STRICT;

INSERT INTO storage_volumes (name, storage_pool_id, type, project_id, creation_date, ready)
  SELECT i.name, s.id, 0, i.project_id, i.creation_date, 1
  FROM instances i JOIN storage_pools s ON s.name = i.storage_pool;
CREATE TRIGGER instance_volume_insert AFTER INSERT ON instances BEGIN
  INSERT INTO storage_volumes (name, storage_pool_id, type, project_id, creation_date, ready)
    SELECT NEW.name, s.id, 0, NEW.project_id, NEW.creation_date, 1
    FROM storage_pools s WHERE s.name = NEW.storage_pool;
END;
CREATE TRIGGER instance_volume_update AFTER UPDATE OF name, project_id, storage_pool ON instances BEGIN
  UPDATE storage_volumes SET name = NEW.name, project_id = NEW.project_id,
      storage_pool_id = COALESCE((SELECT id FROM storage_pools WHERE name = NEW.storage_pool), storage_pool_id)
    WHERE type = 0 AND name = OLD.name AND project_id = OLD.project_id
      AND storage_pool_id = (SELECT id FROM storage_pools WHERE name = OLD.storage_pool);
END;
CREATE TRIGGER instance_volume_delete AFTER DELETE ON instances BEGIN
  DELETE FROM storage_volumes WHERE type = 0 AND name = OLD.name AND project_id = OLD.project_id
    AND storage_pool_id = (SELECT id FROM storage_pools WHERE name = OLD.storage_pool);
END;
`;
