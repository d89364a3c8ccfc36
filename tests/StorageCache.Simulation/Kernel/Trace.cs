using System.Globalization;

namespace StorageCache.Simulation.Kernel;

/// <summary>
/// What happens in a simulation, event by event. A hash of all events is always kept; lines of text only for whoever wants to read
/// them. Not thread-safe.
/// </summary>
/// <param name="lines">Where the lines go; null for nowhere.</param>
internal sealed class Trace(TextWriter? lines)
{
    private const ulong Prime = 0x9FB21C651E98DF25;

    /// <summary>Events so far.</summary>
    public long Count { get; private set; }

    /// <summary>A hash of all events so far, in their order.</summary>
    public ulong Hash { get; private set; } = 0xCBF29CE484222325;

    /// <summary>Notes an event.</summary>
    /// <param name="what">What happens: a few letters, always the same for the same kind of event.</param>
    /// <param name="who">To what it happens; its name.</param>
    /// <param name="a">A number that tells more.</param>
    /// <param name="b">Another number.</param>
    public void Add(string what, string who, long a = 0, long b = 0)
    {
        Count++;
        Mix(what);
        Mix(who);
        Mix((ulong)a);
        Mix((ulong)b);
        lines?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Count,7} {what,-10} {who} {a} {b}"));
    }

    private void Mix(ulong value)
    {
        ulong mixed = (Hash ^ value) * Prime;
        Hash = mixed ^ (mixed >> 29);
    }

    private void Mix(string text)
    {
        foreach (char letter in text)
        {
            Hash = (Hash ^ letter) * 0x100000001B3;
        }

        Mix((ulong)text.Length);
    }
}
