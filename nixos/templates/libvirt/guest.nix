{
  networking.hostName = "guest";
  system.stateVersion = "26.05";
  guests.user.name = "alice";
  # Add your key to log in with ssh.
  users.users.alice.openssh.authorizedKeys.keys = [ ];

  guests.libvirt = {
    cpus = 4;
    memory = 4096;
    # firmware = "uefi";
  };
}
