# What C cannot say: the exception tag of C++, and a start-up that leaves the hot zone above the stack (dayfly/hot.h).
	.tagtype __cpp_exception i32
	.globl __cpp_exception
__cpp_exception:

	.globaltype __stack_pointer, i32
	.functype __wasm_call_ctors () -> ()

	.section .text._initialize,"",@
	.globl _initialize
	.type _initialize,@function
_initialize:
	.functype _initialize () -> ()
	i32.const __stack_high-2048
	global.set __stack_pointer
	call __wasm_call_ctors
	end_function
	.export_name _initialize, _initialize
