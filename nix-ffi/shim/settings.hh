#pragma once
/** @file The handle of flake settings, created by settings.cc and used by flake.cc. */

#include "border.hh"

struct nix_ffi_flake_settings
{
    nix::flake::Settings settings;
};
