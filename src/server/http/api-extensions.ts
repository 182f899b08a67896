/**
 * Names of LXD's API extensions that this server has, in groups: clients compare strings, so LXD's spelling counts. A
 * name is here only when what it stands for works; clients refuse what is missing by themselves.
 */
export const apiExtensions: readonly string[] = [
  // server, access, events
  ...['etag', 'patch', 'certificate_update', 'certificate_project', 'certificate_token', 'remote_token_expiry'],
  ...['event_lifecycle', 'event_lifecycle_requestor_address', 'event_project', 'operation_description', 'warnings'],
  ...['kernel_features', 'lxc_features', 'api_os', 'resources', 'resources_v2', 'server_supported_storage_drivers'],
  // instances
  ...['instances', 'api_filtering', 'container_full', 'instance_get_full', 'instance_all_projects'],
  ...['instance_bulk_state_change', 'container_last_used_at', 'container_cpu_time', 'container_image_properties'],
  ...['container_stop_priority', 'container_host_shutdown_timeout', 'container_protection_delete', 'kernel_limits'],
  ...['resource_limits', 'id_map', 'id_map_base', 'id_map_current', 'linux_sysctl', 'entity_description'],
  ...['snapshot_expiry', 'snapshot_expiry_creation', 'instance_snapshot_never', 'usedby_consistency'],
  // inside them
  ...['console', 'container_exec_recording', 'container_exec_signal_handling', 'container_exec_user_group_cwd'],
  ...[
    'directory_manipulation',
    'file_append',
    'file_delete',
    'file_get_symlink',
    'file_symlinks',
    'instance_file_head',
  ],
  // profiles, images
  ...['profile_usedby', 'image_create_aliases', 'image_types'],
  // storage
  ...['storage', 'storage_btrfs_mount_options', 'storage_volatile_initial_source'],
  // networks
  ...['network', 'network_leases', 'network_state', 'network_state_bond_bridge', 'network_dhcp_expiry'],
  ...[
    'network_dhcp_gateway',
    'network_dns_search',
    'network_firewall_filtering',
    'network_hwaddr',
    'network_nat_address',
  ],
  ...['network_nat_order', 'network_routes', 'network_counters_errors_dropped', 'instance_nic_network'],
];
