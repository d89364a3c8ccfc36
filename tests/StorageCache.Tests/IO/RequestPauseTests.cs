using StorageCache.IO;
using StorageCache.IO.Ring;
using Xunit;

namespace StorageCache.Tests.IO;

public sealed class RequestPauseTests
{
    [Fact]
    public void Requests_pause_together_from_when_the_first_came_I_O_21()
    {
        using TestRequest first = new(0);
        using TestRequest second = new(0);
        RequestPause pause = default;
        Assert.True(pause.IsEmpty);
        Assert.False(pause.IsOver(long.MaxValue));

        const long Start = 1_000_000_000;
        long end = Start + RequestPause.Ticks;
        pause.Add(first, Start);
        pause.Add(second, end - 1);
        Assert.False(pause.IsEmpty);
        Assert.False(pause.IsOver(end - 1));
        Assert.Equal(1_000_000, pause.NanosecondsLeft(Start));
        Assert.True(pause.IsOver(end));
        Assert.Equal(1, pause.NanosecondsLeft(end + RequestPause.Ticks));

        RequestQueue taken = pause.TakeAll();
        Assert.Same(first, taken.TakeFirst());
        Assert.Same(second, taken.TakeFirst());
        Assert.Null(taken.TakeFirst());
        Assert.True(pause.IsEmpty);
        Assert.False(pause.IsOver(end));

        // The next one has a pause of its own.
        pause.Add(second, end);
        Assert.False(pause.IsOver(end + RequestPause.Ticks - 1));
        Assert.True(pause.IsOver(end + RequestPause.Ticks));
        pause.TakeAll();
    }
}
