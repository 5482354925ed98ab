#pragma once
/** @file The handle of flake settings, which settings.cc makes and flake.cc uses. */

#include "border.hh"

struct nix_ffi_flake_settings
{
    nix::flake::Settings settings;
};
