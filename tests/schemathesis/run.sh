#!/usr/bin/env bash
# Asks the real binary everything its OpenAPI document promises, and what the document forbids: where nobody is asked who he is, and
# as an admin where everybody is. Both at once, about a minute.
# What a check may not ask, and why, stands in schemathesis.toml beside this. The same requests each time, so that a red run is the
# doing of what changed; others: SEED=$RANDOM EXAMPLES=50 AUTH=jwt run.sh
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
cleanup() {
  # Whoever still runs stops its own server.
  kill $(jobs -p) 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
# Settings from outside are for other servers.
unset "${!STOCKADE_@}"
export SCHEMATHESIS_HOOKS="$here/checks.py" PYTHONDONTWRITEBYTECODE=1
stockade="$target/debug/stockade"

# Serves with these arguments; says where in `url`.
serve() {
  mkfifo said
  "$stockade" serve --demo --listen 127.0.0.1:0 "$@" >said 2>log &
  local server=$! word rest
  trap "kill $server 2>/dev/null || true; wait $server 2>/dev/null || true" EXIT
  url=
  while read -r word rest; do
    [ "$word" = listening ] && { url=$rest; break; }
  done <said
  [ -n "$url" ] || { cat log >&2; fail "the server did not start"; }
}

# Nobody can be refused whom nobody asks who he is.
prepare_none() {
  serve --in-memory --auth none
  given=(--generation-with-security-parameters false --exclude-checks ignored_auth)
}

# The token is of no session, as a session may be ended by /logout. How often somebody may come is tested where a clock stands still.
prepare_jwt() {
  local token
  STOCKADE_PASSWORD=schemathesis "$stockade" user create --username admin --role admin --data-dir data
  token=$("$stockade" user token admin --expires 1h --data-dir data)
  export STOCKADE_HTTP__{ADDRESS_REQUESTS_PER_SECOND,LOGINS_PER_MINUTE,FAILED_LOGINS_PER_MINUTE}_MAX=1000000
  serve --data-dir data --durability none --auth jwt
  given=(--header "Authorization: Bearer $token")
}

# Asks a server of its own, with this `auth.mode`.
ask() {
  trap 'exit 1' TERM
  mkdir "$work/$1"
  cd "$work/$1"
  "prepare_$1"
  timeout 300 "$venv/bin/schemathesis" --config-file "$here/schemathesis.toml" run "$url/openapi.json" --url "$url" \
    --seed "${SEED:-14484}" --max-examples "${EXAMPLES:-10}" "${given[@]}" \
    || fail "see above; the server's log: $(tail -n 5 log)"
}

runs=()
for mode in ${AUTH:-none jwt}; do
  (ask "$mode") >"$work/$mode.out" 2>&1 &
  runs+=("$mode:$!")
done
failed=
for run in "${runs[@]}"; do
  result=passed
  wait "${run#*:}" || { result=failed; failed=1; }
  cat "$work/${run%:*}.out"
  printf 'schemathesis: auth %s: %s\n' "${run%:*}" "$result"
done
[ -z "$failed" ]
