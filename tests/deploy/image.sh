#!/usr/bin/env bash
# Builds deploy/Containerfile on a root of two Debian packages, and runs what comes of it as container runtimes do: user 65532,
# a root that cannot be written to, process 1. Needs root, buildah and mmdebstrap (apt-get install buildah mmdebstrap).
# usage: tests/deploy/image.sh EXECUTABLE      EXECUTABLE is cli.ts, compiled
set -euo pipefail
executable=$(realpath "$1")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
export BUILDAH_ISOLATION=chroot
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
trap 'set +e; kill -KILL ${inner:-} ${server:-} 2>/dev/null; buildah umount --all >/dev/null 2>&1; rm -rf "$work"' EXIT
say() { printf '%s\n' "--- $*"; }

say "the base, of $(. /etc/os-release; echo "$VERSION_CODENAME")"
mmdebstrap --quiet --variant=extract --include=libc6,libgcc-s1 "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$work/base.tar"
mkdir "$work/context"
printf 'FROM scratch\nADD base.tar /\n' >"$work/base.Containerfile"
buildah build --quiet -t base -f "$work/base.Containerfile" "$work"

say "the image"
cp deploy/Containerfile "$executable" "$work/context/"
[ "$(basename "$executable")" = ormuco-cache ] || mv "$work/context/$(basename "$executable")" "$work/context/ormuco-cache"
buildah build --quiet --build-arg BASE=localhost/base -t ormuco-cache -f "$work/context/Containerfile" "$work/context"
container=$(buildah from localhost/ormuco-cache)
buildah inspect --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}} {{.OCIv1.Config.Env}}{{println}}' "$container"

say "by buildah: without a token it does not start"
buildah run "$container" -- /usr/local/bin/ormuco-cache serve --no-env-file && exit 1 || [ $? = 2 ]

say "by hand: user 65532, a root that cannot be written to, process 1"
root=$(buildah mount "$container")
"$executable" token >"$work/token"
chmod 444 "$work/token" # as Docker mounts a secret
mkdir -p "$root/run/secrets" "$root/proc" "$root/dev"
touch "$root/run/secrets/token"
environment=$(buildah inspect --format '{{range .OCIv1.Config.Env}}{{.}} {{end}}' "$container")
cat >"$work/start" <<END
set -e
mount --bind "$root" "$root"
mount --bind "$work/token" "$root/run/secrets/token"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec env -i $environment AUTH_TOKEN_FILE=/run/secrets/token LISTEN_ON=127.0.0.1:${PORT:-21142} \
  chroot --userspec=65532:65532 "$root" /usr/local/bin/ormuco-cache serve --no-env-file
END
unshare --mount --pid --fork --kill-child bash "$work/start" >"$work/log" 2>&1 &
server=$!
within() { AUTH_TOKEN_FILE=$work/token "$executable" "$@" --server "127.0.0.1:${PORT:-21142}"; }
until inner=$(pgrep -P "$server"); do :; done
within peers --wait 20
grep -E '^(NSpid|Uid|Gid|Groups)' "/proc/$inner/status"
[ "$(awk '/^NSpid/ { print $NF }' "/proc/$inner/status")" = 1 ]
[ "$(awk '/^Uid/ { print $2 }' "/proc/$inner/status")" = 65532 ]
! nsenter --mount --target "$inner" touch "$root/nothing"
within store key value
[ "$(within retrieve key)" = value ]
kill -TERM "$inner"
wait "$server" && status=0 || status=$?
cat "$work/log"
[ "$status" = 0 ] && grep -q 'Server stopped' "$work/log"
say "done"
