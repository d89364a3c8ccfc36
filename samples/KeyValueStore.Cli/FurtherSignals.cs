using System.Runtime.InteropServices;

namespace StorageCache.KeyValueStore.Cli;

/// <summary>Signals that would end the process on the spot and leave its store in flux, beside Ctrl-C and SIGTERM, which the parser looks after.</summary>
internal sealed class FurtherSignals : IDisposable
{
    /// <summary>SIGXFSZ, sent with the error of a write beyond the limit of file sizes (<c>ulimit -f</c>).</summary>
    private const PosixSignal FileTooLarge = (PosixSignal)25;

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration _hangUp;
    private readonly PosixSignalRegistration? _fileTooLarge;

    public FurtherSignals()
    {
        // The terminal is gone. A process that is to outlive that ignores the signal from the start (nohup), and the runtime leaves it so.
        _hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            _source.Cancel();
        });

        // The write itself fails as well, and says why.
        _fileTooLarge = OperatingSystem.IsLinux() ? PosixSignalRegistration.Create(FileTooLarge, static context => context.Cancel = true) : null;
    }

    /// <summary>Cancelled when the process is to end.</summary>
    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _hangUp.Dispose();
        _fileTooLarge?.Dispose();

        // The source is not disposed of: a signal may be on its way to it, and it holds nothing but memory.
    }
}
