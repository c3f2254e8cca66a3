#!/usr/bin/env bash
# Prints the folder of a Debian 13 (trixie), for its git: newer than the one that the tests' machines have.
# Made once, as root, with debootstrap, from the Debian mirror that this machine's apt uses. It takes about
# a minute and 400 MB. Exit status 2: this machine cannot have one; standard error says why.
set -euo pipefail
umask 022

cache=${XDG_CACHE_HOME:-$HOME/.cache}/cogauth-rigs
dir=${1:-$cache/trixie}

cannot() { echo "no trixie: $*" >&2; exit 2; }

if [ -e "$dir/usr/bin/git" ]; then echo "$dir"; exit; fi

[ "$(id -u)" = 0 ] || cannot "debootstrap needs root"
for program in debootstrap apt-get flock; do
  command -v "$program" >/dev/null || cannot "$program is not installed"
done
mirror=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
  awk '$2 !~ /-/ && $3 ~ /^https?:/ { print $3; exit }')
[ -n "$mirror" ] || cannot "apt has no Debian mirror here"

# One makes it, others wait. A folder that is there is whole: it gets its name last.
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
if [ -e "$dir/usr/bin/git" ]; then echo "$dir"; exit; fi

rm -rf --one-file-system "$dir".new.*
new=$(mktemp -d "$dir.new.XXXXXX")
trap 'rm -rf --one-file-system "$new"' EXIT
chmod 755 "$new"
# What debootstrap mounts is not to stay, whatever happens to it.
private=()
if unshare --mount true 2>/dev/null; then private=(unshare --mount); fi
if ! "${private[@]}" debootstrap --variant=minbase --include=ca-certificates,git trixie "$new" "$mirror" >"$dir.log" 2>&1 9>&-; then
  tail -q -n 5 "$dir.log" "$new/debootstrap/debootstrap.log" >&2 2>/dev/null || true
  cannot "debootstrap failed"
fi
rm -rf "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/*
mv -T "$new" "$dir"
echo "$dir"
