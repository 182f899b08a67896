import type { BackupConfig, BackupIndex } from './backup-config.ts';
import { renderYaml, type YamlValue } from './render-yaml.ts';

/** backup.yaml as LXD writes and reads it. */
export function renderBackupConfig(config: BackupConfig): string {
  return renderYaml(configValue(config));
}

/** backup/index.yaml as LXD writes and reads it. */
export function renderBackupIndex({ config, snapshots = [], ...index }: BackupIndex): string {
  return renderYaml({
    ...index,
    snapshots: snapshots.length > 0 ? snapshots : undefined,
    config: config && configValue(config),
  });
}

function configValue(config: BackupConfig): YamlValue {
  const { container, snapshots = [], pool, profiles = [], volume, volume_snapshots: volumeSnapshots = [] } = config;
  return {
    container: container && { ...container },
    snapshots: snapshots.length > 0 ? snapshots.map(snapshot => ({ ...snapshot })) : undefined,
    pool: pool && { ...pool },
    profiles: profiles.length > 0 ? profiles.map(profile => ({ ...profile })) : undefined,
    volume: volume && { ...volume },
    volume_snapshots: volumeSnapshots.length > 0 ? volumeSnapshots.map(snapshot => ({ ...snapshot })) : undefined,
  };
}
