namespace StorageCache.Tests.Harness;

/// <summary>Pins that are returned once, at the latest when the test ends: a cache waits for them when it is closed.</summary>
internal sealed class PinList : IDisposable
{
    private readonly List<PagePin> _pins = [];

    public int Count => _pins.Count;

    public void Add(PagePin pin) => _pins.Add(pin);

    /// <summary>Returns the one that came last.</summary>
    public void ReturnLast()
    {
        PagePin pin = _pins[^1];
        _pins.RemoveAt(_pins.Count - 1);
        pin.Dispose();
    }

    public void Dispose()
    {
        while (Count > 0)
        {
            ReturnLast();
        }
    }
}
