# Helpers for the tests in this folder, to be sourced. They print TAP and count for themselves.
#
#   is GOT WANTED NAME       like GOT REGEX NAME       unlike GOT REGEX NAME       finish
#   sql DATABASE [COMMAND]   psql that stops at an error; commands from stdin without COMMAND
#   try DATABASE COMMAND     the same, and what it prints includes the errors, with SQLSTATEs
#   on NAME COMMAND...       a shell command with another server's environment
#   new_server NAME [...]    starts a server of this test (test/server start), gone at the end
#   new_database NAME        a database in the current server, gone at the end
#   flowers DATABASE         the extension and a table to train on, flower(width, length, kind, weight)
#   train MODEL [OPTIONS]    the text of a call that trains two classes in a moment
#
# A name of a server gets the name of the run's server in front, so nothing collides or stays behind.
set -euo pipefail

points=0 failures=0
servers=() databases=()
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
server=$top/test/server
: "${AIAAS_SERVER:?run it with: test/check t}"
export PGOPTIONS='-c client_min_messages=warning'

cleanup() {
    local name
    for name in "${databases[@]:-}"; do
        [ -n "$name" ] && psql -X -q -d postgres -c "DROP DATABASE IF EXISTS $name WITH (FORCE)" >/dev/null 2>&1
    done
    for name in "${servers[@]:-}"; do
        [ -n "$name" ] && "$server" destroy "$name"
    done
    return 0
}
trap cleanup EXIT

point() {
    points=$((points + 1))
    if [ "$1" = 0 ]; then echo "ok $points - $2"; return; fi
    failures=$((failures + 1))
    echo "not ok $points - $2"
    printf '%s\n' "$3" | sed 's/^/#   /'
}

is() {
    if [ "$1" = "$2" ]; then point 0 "$3"; else point 1 "$3" "got    $1
wanted $2"; fi
}
like() { if [[ $1 =~ $2 ]]; then point 0 "$3"; else point 1 "$3" "got $1
which does not match $2"; fi; }
unlike() { if [[ $1 =~ $2 ]]; then point 1 "$3" "got $1
which matches $2"; else point 0 "$3"; fi; }

finish() { echo "1..$points"; [ "$failures" = 0 ]; exit; }

sql() {
    local database=$1
    shift
    if [ $# = 0 ]; then psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database"
    else psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" -c "$1"; fi
}

try() { psql -X -q -A -t -v VERBOSITY=verbose -d "$1" -c "$2" 2>&1 || true; }

# In a subshell, so the environment of this one stays.
on() { (eval "$("$server" env "$AIAAS_SERVER-$1")"; PGOPTIONS='-c client_min_messages=warning'; export PGOPTIONS; shift; "$@"); }

new_server() {
    local name=$AIAAS_SERVER-$1
    shift
    servers+=("$name")
    "$server" start "$name" "$@" -c fsync=off
}

new_database() {
    databases+=("$1")
    sql postgres "CREATE DATABASE $1"
}

flowers() {
    sql "$1" "
        CREATE EXTENSION aiaas;
        CREATE TABLE flower AS
        SELECT i AS id, ((i % 7) / 7.0)::real AS width, ((i % 5) / 5.0)::real AS length,
               CASE WHEN i % 7 > 3 THEN 1 ELSE 0 END AS kind, ((i % 7) / 3.0 + (i % 5))::real AS weight
        FROM generate_series(1, 70) i;
        GRANT SELECT ON flower TO PUBLIC"
}

train() {
    local options=${2:-'{}'}
    printf '%s' "SELECT version FROM aiaas_train('$1', 'SELECT width, length, kind FROM flower', 'kind', \
'[{\"Dense\": {\"units\": 8, \"activation\": \"relu\"}}, {\"Dense\": {\"units\": 2, \"activation\": \"softmax\"}}]', \
options => '{\"epochs\": 2, \"deploy\": \"always\"}'::jsonb || '$options')"
}

# Every answer of a model, bit by bit, as one number.
answers() {
    printf '%s' "SELECT md5(string_agg(array_send(aiaas_predict_proba('$1', width, length))::text, ',' ORDER BY id)) FROM flower"
}
