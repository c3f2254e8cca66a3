#!/usr/bin/env bash
# Installs what the tests need and runs them all, on real parts: a keychain, a browser, an OpenID
# provider that is not ours. Needs Go and bash; on Debian and its kin it installs the rest with
# apt-get and npm, elsewhere it runs with what is there.
#
#   COGAUTH_REQUIRE=all ./test.sh    a missing part fails the tests that need it (CI does this)
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '\n== %s\n' "$*"; }

# --- what the tests need -------------------------------------------------------------------------

# program → Debian package that has it
needs="git:git gcc:gcc curl:curl dbus-daemon:dbus gnome-keyring-daemon:gnome-keyring secret-tool:libsecret-tools
gdbus:libglib2.0-bin chromium:chromium Xvfb:xvfb xwininfo:x11-utils xdg-open:xdg-utils strace:strace
ip:iproute2 npm:npm kwalletd5:libkf5wallet-bin keepassxc:keepassxc xdotool:xdotool xclip:xclip
ssh-keygen:openssh-client script:bsdutils python3:python3 jq:jq
skopeo:skopeo rclone:rclone debootstrap:debootstrap"

install_packages() {
  local missing=() entry
  for entry in $needs; do
    command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
  done
  # The race detector needs the C library's headers; pages are drawn with some font.
  [ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
  [ -n "$(find /usr/share/fonts -name '*.ttf' -print -quit 2>/dev/null)" ] || missing+=(fonts-dejavu-core)
  # Some packages are unpacked and not installed, which takes apt's lists alone.
  local lists=1
  apt-cache show docker-registry kubernetes-client >/dev/null 2>&1 || lists=
  [ ${#missing[@]} -gt 0 ] || [ -z "$lists" ] || return 0
  local sudo=
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      say "not root, and no sudo: going on without ${missing[*]:-the lists of apt}"
      return 0
    fi
    sudo=sudo
  fi
  say "installing ${missing[*]:-nothing, but reading what there is}"
  $sudo apt-get -q update </dev/null
  [ ${#missing[@]} -gt 0 ] || return 0
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "${missing[@]}" </dev/null
}

if command -v apt-get >/dev/null; then
  install_packages
else
  say "no apt-get here: running with the parts that are installed"
fi

# A newer Debian, for its git: it takes bearer tokens. Made once; where it cannot be had, its tests say so.
if command -v apt-get >/dev/null; then
  newer=(env XDG_CACHE_HOME="${XDG_CACHE_HOME:-$HOME/.cache}" e2e/clients/trixie.sh)
  if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then newer=(sudo "${newer[@]}"); fi
  say "a Debian 13, for its git"
  "${newer[@]}" </dev/null || true
fi

# The OpenID provider, a Node new enough for it, the accessibility checker, pnpm and Google's library come
# from npm.
if command -v npm >/dev/null; then
  if [ ! -x e2e/node/node_modules/.bin/node ] || [ e2e/node/package-lock.json -nt e2e/node/node_modules/.package-lock.json ]; then
    say "installing from npm: oidc-provider, openid-client, axe-core, node, pnpm, google-auth-library"
    (cd e2e/node && npm ci --no-audit --no-fund --loglevel=error </dev/null)
    touch e2e/node/node_modules/.package-lock.json
  fi
fi

# --- static checks ---------------------------------------------------------------------------------

say "gofmt"
unformatted=$(gofmt -l $(git ls-files --cached --others --exclude-standard '*.go'))
[ -z "$unformatted" ] || { echo "gofmt would change: $unformatted" >&2; exit 1; }

for os in linux windows darwin; do
  say "build and vet for $os, without cgo"
  GOOS=$os CGO_ENABLED=0 go build -o /dev/null ./...
  GOOS=$os CGO_ENABLED=0 go vet ./...
done
(cd e2e && go vet ./...)
say "build and vet of examples/desktop"
(
  cd examples/desktop
  for os in linux windows; do # systray takes cgo on macOS
    GOOS=$os CGO_ENABLED=0 go build -o /dev/null ./...
    GOOS=$os CGO_ENABLED=0 go vet ./...
  done
)

# --- tests -----------------------------------------------------------------------------------------

export COGAUTH_RIG_LOG
COGAUTH_RIG_LOG=$(mktemp)
trap 'rm -f "$COGAUTH_RIG_LOG"' EXIT
export GORACE=atexit_sleep_ms=10 # or every race-enabled program takes a second to end

status=0
say "go test -race ./..."
go test -race -count=1 -p 2 -timeout 30m ./... || status=1
say "go test -race ./... in e2e"
(cd e2e && go test -race -count=1 -p 1 -timeout 45m ./...) || status=1
say "go test -race ./... in examples/desktop"
(cd examples/desktop && go test -race -count=1 -timeout 15m ./...) || status=1

# --- which real parts took part ----------------------------------------------------------------------

say "real parts"
{
  printf 'go\t%s\trun\n' "$(go env GOVERSION)"
  sort -u "$COGAUTH_RIG_LOG"
} | awk -F'\t' '{ printf "  %-14s %-22s %s\n", $1, $2, $3; if ($3 != "run") missing++ }
  END { if (missing) printf "\n  %d not available\n", missing }'
echo
if [ $status = 0 ]; then echo "all tests passed"; else echo "TESTS FAILED" >&2; fi
exit $status
