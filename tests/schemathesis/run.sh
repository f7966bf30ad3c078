#!/usr/bin/env bash
# Asks the real binary everything its OpenAPI document promises, and what the document forbids. About a minute.
# What a check may not ask, and why, stands in schemathesis.toml beside this. The same requests each time, so that a red run is the
# doing of what changed; others: SEED=$RANDOM run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

version=4.32.5
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
venv="$target/schemathesis-$version"
fail() { printf 'schemathesis: %s\n' "$*" >&2; exit 1; }

if [ ! -x "$venv/bin/schemathesis" ]; then
  command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3 python3-venv"
  rm -rf "$venv"
  python3 -m venv "$venv" || fail "python3 makes no virtual environment: apt-get install python3-venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "schemathesis==$version" \
    || { rm -rf "$venv"; fail "version $version cannot be installed: is the package index reachable?"; }
fi

"${CARGO:-cargo}" build --locked --bin stockade
"$target/debug/stockade" openapi | "$venv/bin/python" "$here/examples.py" || fail "these examples do not fit their schemas"
work=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$work"
}
trap cleanup EXIT
# Settings from outside are for other servers.
unset "${!STOCKADE_@}"
mkfifo "$work/said"
(cd "$work" && exec "$target/debug/stockade" serve --in-memory --auth none --demo --listen 127.0.0.1:0) \
  >"$work/said" 2>"$work/log" &
server=$!
url=
while read -r word rest; do
  [ "$word" = listening ] && { url=$rest; break; }
done <"$work/said"
[ -n "$url" ] || { cat "$work/log" >&2; fail "the server did not start"; }

cd "$work"
export SCHEMATHESIS_HOOKS="$here/checks.py" PYTHONDONTWRITEBYTECODE=1
timeout 300 "$venv/bin/schemathesis" --config-file "$here/schemathesis.toml" run "$url/openapi.json" --url "$url" \
  --seed "${SEED:-14484}" --max-examples "${EXAMPLES:-10}" || fail "see above; the server's log: $(tail -n 5 "$work/log")"
