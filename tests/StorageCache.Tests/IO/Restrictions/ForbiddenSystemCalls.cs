using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StorageCache.Tests.IO.Restrictions;

/// <summary>
/// A seccomp filter for this process, as containers have one: the system calls that <see cref="Variable"/> names fail. It is there before
/// anything else of the program runs, for what a process may do is found out once.
/// </summary>
internal static unsafe partial class ForbiddenSystemCalls
{
    /// <summary>An environment variable: the system call's number, and the error number that it is to fail with, as in <c>425:38</c>.</summary>
    public const string Variable = "STORAGECACHE_FORBID_SYSTEM_CALL";

    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const uint SECCOMP_SET_MODE_FILTER = 1;
    private const uint SECCOMP_FILTER_FLAG_TSYNC = 1;
    private const ushort LoadWord = 0x20;
    private const ushort JumpIfEqual = 0x15;
    private const ushort Return = 0x06;
    private const uint FailWith = 0x00050000;
    private const uint Allow = 0x7fff0000;

    private static int Seccomp => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 277 : 317;

#pragma warning disable CA2255 // This is a program, and nothing of it may run before.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Forbid()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } call)
        {
            return;
        }

        string[] parts = call.Split(':');
        Filter[] program =
        [
            new(LoadWord, 0, 0, 0),
            new(JumpIfEqual, 0, 1, uint.Parse(parts[0], CultureInfo.InvariantCulture)),
            new(Return, 0, 0, FailWith | uint.Parse(parts[1], CultureInfo.InvariantCulture)),
            new(Return, 0, 0, Allow),
        ];
        fixed (Filter* filters = program)
        {
            FilterProgram whole = new((ushort)program.Length, filters);

            // For every thread: the runtime has some already.
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || syscall(Seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &whole) != 0)
            {
                Console.Error.WriteLine($"No seccomp filter can be set: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
                Environment.Exit(RestrictedProcess.CannotRestrict);
            }
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prctl(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nuint operation, nuint flags, FilterProgram* program);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Filter(ushort Code, byte IfTrue, byte IfFalse, uint Operand);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct FilterProgram(ushort length, Filter* filters)
    {
        public readonly ushort Length = length;
        public readonly Filter* Filters = filters;
    }
}
