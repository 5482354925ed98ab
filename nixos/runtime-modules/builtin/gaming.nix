# Steam, GameMode, gamescope and MangoHud
{ pkgs, ... }:
{
  imports = [ ./steam.nix ];

  programs.gamemode.enable = true;
  programs.gamescope.enable = true;
  environment.systemPackages = [ pkgs.mangohud ];
}
