%% actors.erl: the workloads of bench/actors.c, for Erlang/OTP.
%%
%% Reads one command per line and answers each with one line, a number:
%%   ring N M HOPS    seconds for M messages that each make HOPS hops in a ring of N processes
%%   fanin P EACH     seconds until one process has received EACH messages from each of P others
%%   create N         seconds to spawn N processes that wait for a message
%%   idle N           bytes per process that waits for a message
%% and leaves at the end of the input.
-module(actors).
-export([main/0]).

main() ->
    case io:get_line("") of
        eof ->
            halt(0);
        Line ->
            [Command | Arguments] = string:lexemes(string:trim(Line), " "),
            Result = run(Command, [list_to_integer(A) || A <- Arguments]),
            io:format("~w~n", [Result]),
            main()
    end.

run("ring", [N, M, Hops]) ->
    Ring = ring_make(N),
    Start = erlang:monotonic_time(nanosecond),
    Step = N div M,
    [element(1 + I * Step, Ring) ! Hops || I <- lists:seq(0, M - 1)],
    wait(M),
    Stop = erlang:monotonic_time(nanosecond),
    [exit(P, kill) || P <- tuple_to_list(Ring)],
    (Stop - Start) / 1.0e9;
run("fanin", [P, Each]) ->
    Self = self(),
    Sink = spawn(fun() -> sink(Self, P * Each) end),
    Start = erlang:monotonic_time(nanosecond),
    [spawn(fun() -> pour(Sink, Each) end) || _ <- lists:seq(1, P)],
    wait(1),
    Stop = erlang:monotonic_time(nanosecond),
    (Stop - Start) / 1.0e9;
run("create", [N]) ->
    Start = erlang:monotonic_time(nanosecond),
    Pids = [spawn(fun idle/0) || _ <- lists:seq(1, N)],
    Stop = erlang:monotonic_time(nanosecond),
    [exit(P, kill) || P <- Pids],
    (Stop - Start) / 1.0e9;
run("idle", [N]) ->
    Before = erlang:memory(processes),
    Pids = [spawn(fun idle/0) || _ <- lists:seq(1, N)],
    After = erlang:memory(processes),
    [exit(P, kill) || P <- Pids],
    (After - Before) / N.

ring_make(N) ->
    Main = self(),
    Pids = [spawn(fun() -> first(Main) end) || _ <- lists:seq(1, N)],
    [First | Rest] = Pids,
    lists:foreach(fun({P, Next}) -> P ! {next, Next} end, lists:zip(Pids, Rest ++ [First])),
    list_to_tuple(Pids).

first(Main) ->
    receive {next, Next} -> loop(Main, Next) end.

loop(Main, Next) ->
    receive
        0 -> Main ! done;
        Left -> Next ! Left - 1
    end,
    loop(Main, Next).

sink(Main, 0) -> Main ! done;
sink(Main, Left) ->
    receive _ -> sink(Main, Left - 1) end.

pour(_, 0) -> ok;
pour(Sink, Left) ->
    Sink ! Left,
    pour(Sink, Left - 1).

idle() ->
    receive _ -> idle() end.

wait(0) -> ok;
wait(N) ->
    receive done -> wait(N - 1) end.
