package vmtest

// PlanFile is where init finds its [Plan] inside the machine.
const PlanFile = "/plan.json"

// Plan is what init does.
type Plan struct {
	Jobs []Job `json:"jobs"`
}

// Job is one program that the machine runs. The jobs of a plan run one after
// the other.
type Job struct {
	// Name is what results are printed under, unique in its plan.
	Name string `json:"name"`
	// Argv is the command line; its first element is a path in the machine.
	Argv []string `json:"argv"`
	// Env is the whole environment.
	Env []string `json:"env"`
	// Dir is the working directory.
	Dir string `json:"dir"`

	// Exit is the exit status that the job has to end with, and Output a text
	// that it has to print. Only the host looks at them.
	Exit   int    `json:"-"`
	Output string `json:"-"`
}

// Kind is what an [Event] tells.
type Kind string

const (
	// KindMachine is the first event: what the machine is.
	KindMachine Kind = "machine"
	// KindStart is sent before a job runs.
	KindStart Kind = "start"
	// KindEnd is sent after a job ended.
	KindEnd Kind = "end"
	// KindFatal says why init gave up.
	KindFatal Kind = "fatal"
	// KindDone is sent when every job has run.
	KindDone Kind = "done"
)

// Mark begins a line of the console that holds an [Event] in JSON. All other
// lines are output of the jobs, or of the kernel.
const Mark = "@vmtest "

// Event is what init tells the host.
type Event struct {
	Kind    Kind     `json:"kind"`
	Text    string   `json:"text,omitempty"`
	Machine *Machine `json:"machine,omitempty"`
	Job     string   `json:"job,omitempty"`
	Result  *Result  `json:"result,omitempty"`
}

// Machine is what init sees.
type Machine struct {
	Kernel      string `json:"kernel"`
	PageSize    int    `json:"page_size"`
	CPUs        int    `json:"cpus"`
	Controllers string `json:"controllers"`
}

// Result is how a job ended.
type Result struct {
	// Exit is the exit status, 128 plus the signal when one killed it, or -1
	// when it did not start.
	Exit int `json:"exit"`
	// Detail says more than the number, for people.
	Detail string `json:"detail"`
	// Seconds is how long it ran, by the clock of the machine.
	Seconds float64 `json:"seconds"`
	// Left is how many processes it left running.
	Left int `json:"left"`
	// OOMKills is how many processes in its control group the kernel killed
	// because memory ran out.
	OOMKills int `json:"oom_kills"`
}
