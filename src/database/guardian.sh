# Runs a command (PostgreSQL) for as long as this script's standard input stays open. The server holds the other end of
# that pipe: the kernel closes it when the server dies, however it dies, and PostgreSQL then follows within 2 seconds.
exec 3<&0
"$@" </dev/null 3<&- &
postgres=$!
{
  while read -r _ <&3; do :; done
  kill -INT "$postgres" # "fast": ends the connections, writes a checkpoint
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
    sleep 0.1
    kill -0 "$postgres" 2>/dev/null || exit
  done
  kill -QUIT "$postgres" # "immediate": loses nothing, recovers at the next start
} 2>/dev/null &
watcher=$!
exec 3<&-
wait "$postgres"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
