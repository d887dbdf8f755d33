package main

import "github.com/feac4032/multiproc/bench/figure"

const mebibyte = 1 << 20

// catalogue is all that is measured. The first floor of a work is what the others
// are compared with.
func catalogue() []*Work {
	return []*Work{
		{
			ID: "one", Title: "One job in flight",
			About:   "64 bytes to a worker and back, and only then the next.",
			Figures: []figure.Kind{figure.P50, figure.P99},
			Goals: []Goal{
				{Text: "at most 1.2 × blocking pipes", Subject: "one/call", Figure: figure.P50, Bound: 1.2, Against: "one/pipes"},
				{Text: "at most 5 µs with a CPU to spare", Subject: "one/call", Figure: figure.P50, Bound: 5e-6},
			},
			Subjects: []*Subject{
				floor("pipes", "two processes, two pipes, blocking", 30_000, 100, "pipes", "64"),
				floor("apart", "the same, each on a CPU of its own", 30_000, 100, "apart", "64"),
				floor("together", "the same, both on one CPU", 30_000, 100, "together", "64"),
				floor("awake", "the same, reading for up to 50 µs before blocking", 60_000, 100, "awake", "64"),
				ours("call", "`pool.Call`", 30_000, 100, "call"),
				python("pool", "`multiprocessing.Pool.apply`", "python", 1500, 20, "call", "pool"),
				python("executor", "`ProcessPoolExecutor.submit`", "python", 1500, 20, "call", "executor"),
				python("loky", "joblib's loky, `submit`", "joblib", 800, 10, "call", "loky"),
				goplugin("goplugin", "hashicorp/go-plugin, `net/rpc`", 8000, 20, "call"),
			},
		},
		{
			ID: "many", Title: "Many jobs in flight",
			About:   "64 bytes there and back, one job each, thousands under way (256 calls with go-plugin, where more make it slower).",
			Figures: []figure.Kind{figure.Rate},
			Goals: []Goal{
				{Text: "at least 1,000,000/s", Subject: "many/submit", Figure: figure.Rate, Bound: 1e6},
				{Text: "at least 20 × the best peer", Subject: "many/submit", Figure: figure.Rate, Bound: 20, Against: "many/peers"},
				{Text: "at least 1,000,000/s without futures", Subject: "many/go", Figure: figure.Rate, Bound: 1e6},
			},
			Subjects: []*Subject{
				ours("submit", "`pool.Submit`, futures", 400_000, 5000, "submit"),
				ours("go", "`Pool.Go`, callbacks", 600_000, 5000, "go"),
				python("imap", "`multiprocessing.Pool.imap_unordered`, `chunksize=1`", "python", 15_000, 50, "many", "imap"),
				python("pool", "`multiprocessing.Pool.apply_async`", "python", 8000, 50, "many", "pool"),
				python("executor", "`ProcessPoolExecutor.submit`", "python", 4000, 50, "many", "executor"),
				python("loky", "joblib's loky, `submit`", "joblib", 2000, 20, "many", "loky"),
				goplugin("goplugin", "hashicorp/go-plugin, `net/rpc`", 20_000, 600, "many"),
			},
		},
		{
			ID: "map", Title: "A map over integers",
			About:   "Integers through a function that returns them, in chunks.",
			Figures: []figure.Kind{figure.Rate},
			Goals: []Goal{
				{Text: "at least 10,000,000/s", Subject: "map/map", Figure: figure.Rate, Bound: 1e7},
				{Text: "at least 4 × `imap_unordered(chunksize=256)`", Subject: "map/map", Figure: figure.Rate, Bound: 4, Against: "map/imap256"},
			},
			Subjects: []*Subject{
				ours("map", "`pool.Map`, measured chunks", 5_000_000, 5000, "map"),
				ours("unordered", "`pool.Unordered`, measured chunks", 5_000_000, 5000, "unordered"),
				python("imap256", "`multiprocessing.Pool.imap_unordered`, `chunksize=256`", "python", 1_000_000, 1000, "mapped", "imap256"),
				python("imap1", "`multiprocessing.Pool.imap_unordered`, `chunksize=1`", "python", 10_000, 100, "mapped", "imap1"),
				python("pool", "`multiprocessing.Pool.map`, its own chunks", "python", 1_000_000, 1000, "mapped", "pool"),
				python("executor", "`ProcessPoolExecutor.map`, `chunksize=256`", "python", 400_000, 1000, "mapped", "executor"),
				python("joblib", "`joblib.Parallel`, loky, its own batches", "joblib", 40_000, 100, "mapped", "joblib"),
			},
		},
		{
			ID: "echo", Title: "1 MiB there and back",
			About:   "One job in flight, with 1 MiB as argument and as result. The pipes of the floor hold 1 MiB, as ours do where the system lets them.",
			Figures: []figure.Kind{figure.P50, figure.P99},
			Goals: []Goal{
				{Text: "at most 1.2 × pipes", Subject: "echo/call", Figure: figure.P50, Bound: 1.2, Against: "echo/pipes"},
			},
			Subjects: []*Subject{
				floor("pipes", "two processes, two pipes, blocking", 400, 5, "pipes", "1048576"),
				floor("memory", "shared memory, a byte through a pipe as the signal", 1000, 5, "memory", "1048576"),
				ours("call", "`pool.Call`", 300, 5, "echo"),
				python("pool", "`multiprocessing.Pool.apply`", "python", 80, 2, "echo", "pool"),
				python("executor", "`ProcessPoolExecutor.submit`", "python", 80, 2, "echo", "executor"),
				python("loky", "joblib's loky, `submit`", "joblib", 80, 2, "echo", "loky"),
				goplugin("goplugin", "hashicorp/go-plugin, `net/rpc`", 80, 2, "echo"),
			},
		},
		{
			ID: "large", Title: "100 MiB there and back",
			About:   "One argument of 100 MiB, which is the result.",
			Figures: []figure.Kind{figure.Wall},
			Subjects: []*Subject{
				{ID: "call", Title: "`pool.Call`", Role: Ours, Never: "a message has 64 MiB at most"},
				ours("halves", "`pool.Submit`, two jobs of 50 MiB", 100, 2, "halves"),
				python("pool", "`multiprocessing.Pool.apply`", "python", 100, 2, "large", "pool"),
				python("executor", "`ProcessPoolExecutor.submit`", "python", 100, 2, "large", "executor"),
				python("loky", "joblib's loky, `submit`", "joblib", 100, 2, "large", "loky"),
				goplugin("goplugin", "hashicorp/go-plugin, `net/rpc`", 100, 2, "large"),
			},
		},
		{
			ID: "lock", Title: "A lock",
			About: "A worker takes a lock that nobody else wants, and releases it. Ours, and that of Python's manager, live in another " +
				"process, so that the death of a holder frees them; `multiprocessing.Lock` is a semaphore in shared memory, which a dead holder keeps for ever.",
			Figures: []figure.Kind{figure.P50, figure.P99},
			Goals: []Goal{
				{Text: "at most 1.1 × one job in flight", Subject: "lock/lock", Figure: figure.P50, Bound: 1.1, Against: "one/call"},
			},
			Subjects: []*Subject{
				ours("lock", "`manager.Lock`", 20_000, 100, "lock"),
				python("multiprocessing", "`multiprocessing.Lock`", "python", 50_000, 100, "lock", "lock"),
				python("manager", "`multiprocessing.Manager().Lock`", "python", 2000, 20, "lock", "manager"),
			},
		},
		{
			ID: "queue", Title: "A queue",
			About:   "Items of 64 bytes, one by one, from a worker to the supervisor.",
			Figures: []figure.Kind{figure.Rate},
			Goals: []Goal{
				{Text: "at least 1,000,000/s", Subject: "queue/queue", Figure: figure.Rate, Bound: 1e6},
			},
			Subjects: []*Subject{
				floor("stream", "a pipe, one write for each item", 500_000, 1000, "stream", "64"),
				ours("queue", "`manager.Queue`", 500_000, 1000, "queue"),
				python("multiprocessing", "`multiprocessing.Queue`", "python", 60_000, 100, "queue", "queue"),
				python("simple", "`multiprocessing.SimpleQueue`", "python", 60_000, 100, "queue", "simple"),
			},
		},
		{
			ID: "start", Title: "The start of a worker",
			About:   "From the request to a worker that is ready. A process that Python forks is a copy of its parent, and executes no program.",
			Figures: []figure.Kind{figure.P50, figure.P99},
			Goals: []Goal{
				{Text: "at most 1.3 × a Go program", Subject: "start/worker", Figure: figure.P50, Bound: 1.3, Against: "start/hello"},
			},
			Subjects: []*Subject{
				floor("hello", "a Go program that writes a byte, by `posix_spawn`, to that byte", 100, 3, "start", "hello"),
				ours("worker", "`Pool.Warm`, one more worker", 60, 3, "start"),
				python("fork", "`multiprocessing.Process`, fork", "python", 60, 2, "start", "fork"),
				python("spawn", "`multiprocessing.Process`, spawn", "python", 8, 1, "start", "spawn"),
				python("forkserver", "`multiprocessing.Process`, forkserver", "python", 12, 1, "start", "forkserver"),
				goplugin("goplugin", "hashicorp/go-plugin, `Client` and `Dispense`", 15, 1, "start"),
			},
		},
		{
			ID: "crash", Title: "A crash, to the next result",
			About: "A job is killed with its worker, the only one (SIGKILL): from its submission to the result of the next. " +
				"Python's executors are broken by it and made anew, with all that was submitted to them; `multiprocessing.Pool` starts another worker, and never tells that the job is lost.",
			Figures: []figure.Kind{figure.P50, figure.P99},
			Subjects: []*Subject{
				ours("pool", "`pool.Call`", 30, 1, "crash"),
				ours("spare", "`pool.Call`, a spare worker", 30, 1, "crashSpare"),
				python("executor", "`ProcessPoolExecutor`, made again", "python", 20, 1, "crash", "executor"),
				python("loky", "joblib's loky, made again", "joblib", 2, 1, "crash", "loky"),
				python("multiprocessing", "`multiprocessing.Pool`", "python", 10, 1, "crash", "pool"),
				goplugin("goplugin", "hashicorp/go-plugin, another `Client`", 10, 1, "crash"),
			},
		},
		{
			ID: "commands", Title: "Commands",
			About: "`/bin/true`, two at a time, whole programs with their own start. `supervisor run` captures the output of each and keeps a " +
				"journal; GNU parallel captures, xargs does neither. Slow ones are given fewer.",
			Figures: []figure.Kind{figure.Rate, figure.Wall},
			Goals: []Goal{
				{Text: "at least 1.1 × `xargs -P2`", Subject: "commands/run", Figure: figure.Rate, Bound: 1.1, Against: "commands/xargs"},
			},
			Subjects: []*Subject{
				floor("two", "`posix_spawn`, two at a time", 4000, 10, "spawn", "2"),
				floor("one", "`posix_spawn`, one at a time", 3000, 10, "spawn", "1"),
				{ID: "run", Title: "`supervisor run`, 10,000", Role: Ours, Full: 10_000, Short: 20, Run: supervised("run: [/bin/true]")},
				{ID: "each", Title: "`supervisor each`, 5000, without a journal", Role: Ours, Full: 5000, Short: 20,
					Run: timed("supervisor", "each", "-q", "-j", "2", "--", "/bin/true")},
				{ID: "xargs", Title: "`xargs -n1 -P2`, 10,000", Role: Peer, Tool: "xargs", Full: 10_000, Short: 20,
					Run: timed("xargs", "-n1", "-P2", "/bin/true")},
				{ID: "parallel", Title: "GNU `parallel -j2`, 500", Role: Peer, Tool: "parallel", Full: 500, Short: 5,
					Run: timed("parallel", "--will-cite", "-j2", "/bin/true")},
				python("subprocess", "`subprocess.run` in a `ThreadPool`, 1000", "python", 1000, 5, "commands", "threads"),
			},
		},
		{
			ID: "journal", Title: "Many jobs, journaled",
			About: "`supervisor run` of a task that returns its argument: the whole process, with a journal and a report. " +
				"No peer has a journal of tasks; GNU parallel has one of commands, `--joblog`, and its rate is above.",
			Figures: []figure.Kind{figure.Rate, figure.Wall, figure.RSS},
			Goals: []Goal{
				{Text: "at least 100,000/s", Subject: "journal/1e6", Figure: figure.Rate, Bound: 1e5},
				{Text: "at most 32 MiB more memory than 10,000 jobs take", Subject: "journal/1e6", Figure: figure.RSS, Bound: 1, Plus: 32 * mebibyte, Against: "journal/1e4"},
			},
			Subjects: []*Subject{
				{ID: "1e4", Title: "10,000 jobs", Role: Ours, Full: 10_000, Short: 20, Run: supervised("task: echo")},
				{ID: "1e5", Title: "100,000 jobs", Role: Ours, Full: 100_000, Short: 50, Rounds: 5, Run: supervised("task: echo")},
				{ID: "1e6", Title: "1,000,000 jobs", Role: Ours, Full: 1_000_000, Short: 100, Rounds: 3, Run: supervised("task: echo")},
			},
		},
		{
			ID: "cold", Title: "One job from cold",
			About:   "A whole program that does one job, from its start to its end. The files that it needs are in memory.",
			Figures: []figure.Kind{figure.P50, figure.P99},
			Goals: []Goal{
				{Text: "under 40 ms", Subject: "cold/task", Figure: figure.P50, Bound: 40e-3},
			},
			Subjects: []*Subject{
				{ID: "hello", Title: "a Go program that writes a byte", Role: Floor, Full: 10, Short: 1, Run: cold(timed("hello"))},
				{ID: "task", Title: "`supervisor run`, a task", Role: Ours, Full: 10, Short: 1, Run: cold(supervised("task: echo"))},
				{ID: "command", Title: "`supervisor run`, a command", Role: Ours, Full: 10, Short: 1, Run: cold(supervised("run: [/bin/true]"))},
				{ID: "xargs", Title: "`xargs`, a command", Role: Peer, Tool: "xargs", Full: 10, Short: 1, Run: cold(timed("xargs", "-n1", "-P2", "/bin/true"))},
				{ID: "parallel", Title: "GNU `parallel`, a command", Role: Peer, Tool: "parallel", Full: 3, Short: 1,
					Run: cold(timed("parallel", "--will-cite", "-j2", "/bin/true"))},
				{ID: "pool", Title: "`multiprocessing.Pool`, a task", Role: Peer, Tool: "python", Full: 3, Short: 1,
					Run: cold(timed("python", "peers.py", "cold", "pool", "1"))},
			},
		},
		{
			ID: "idle", Title: "The memory of an idle worker",
			About: "The mean of eight workers that wait, each after a job or ready for its first, as proportional set size: pages that several " +
				"processes share are divided among them. Python's forked workers share those of their parent.",
			Figures: []figure.Kind{figure.PSS},
			Goals: []Goal{
				{Text: "under 4 MB", Subject: "idle/worker", Figure: figure.PSS, Bound: 4e6},
			},
			Subjects: []*Subject{
				{ID: "hello", Title: "a Go program that waits", Role: Floor, Full: 8, Short: 2, Run: waiting},
				ours("worker", "`worker`", 8, 2, "idle"),
				python("pool", "`multiprocessing.Pool`, fork", "python", 8, 2, "idle", "pool"),
				python("spawned", "`multiprocessing.Pool`, spawn", "python", 8, 2, "idle", "spawned"),
				python("loky", "joblib's loky", "joblib", 8, 2, "idle", "loky"),
				goplugin("goplugin", "hashicorp/go-plugin", 8, 2, "idle"),
			},
		},
	}
}

func floor(id, title string, full, short int, args ...string) *Subject {
	return &Subject{ID: id, Title: title, Role: Floor, Full: full, Short: short, Run: reported(append([]string{"floor"}, args...)...)}
}

func ours(id, title string, full, short int, work string) *Subject {
	return &Subject{ID: id, Title: title, Role: Ours, Full: full, Short: short, Run: reported("ours", work)}
}

func python(id, title, tool string, full, short int, work, library string) *Subject {
	return &Subject{ID: id, Title: title, Role: Peer, Tool: tool, Full: full, Short: short,
		Run: reported("python", "peers.py", work, library)}
}

func goplugin(id, title string, full, short int, work string) *Subject {
	return &Subject{ID: id, Title: title, Role: Peer, Full: full, Short: short, Run: reported("bench", pluginCommand, work)}
}
