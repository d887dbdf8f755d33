package report

import "fmt"

// exitMeaning says in a sentence what an exit code of the supervisor means.
func exitMeaning(code int) string {
	switch code {
	case 0:
		return "every instance was ok, or as many as were asked for"
	case 1:
		return "some instance was not ok"
	case 2:
		return "the job file or a flag asks for something that is not there"
	case 3:
		return "the run was halted by its policy, its deadline, or workers that could not be started"
	case 4:
		return "an isolation or a limit that is required is not available here"
	case 5:
		return "something went wrong inside of the supervisor, or output was lost"
	case 6:
		return "the run is in use by another supervisor"
	}
	if code > 128 {
		return fmt.Sprintf("signal %d ended the run", code-128)
	}
	return "not known"
}
