package pooltest

// Stage is where in the life of a job a fault happens.
type Stage string

// The stages, in their order.
const (
	// None is a job that is right.
	None Stage = ""
	// DecodeArgument is in the worker, in the decoding method of the argument's
	// type: after the job has started, before the function is called.
	DecodeArgument Stage = "decode argument"
	// Function is in the task's function, with the argument decoded.
	Function Stage = "function"
	// EncodeResult is in the worker, in the encoding method of the result's type,
	// when the function has returned.
	EncodeResult Stage = "encode result"
	// AfterResult is in the worker, 20 ms after the job was answered. If it has
	// another job by then, that one is what it is at.
	AfterResult Stage = "after result"
	// DecodeResult is in the caller, in the decoding method of the result's type,
	// which Future.Result calls.
	DecodeResult Stage = "decode result"
)
