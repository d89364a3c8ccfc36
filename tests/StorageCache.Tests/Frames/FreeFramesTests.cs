using System.Runtime.CompilerServices;
using CsCheck;
using StorageCache.Frames;
using Xunit;

namespace StorageCache.Tests.Frames;

/// <remarks>F-7.</remarks>
public class FreeFramesTests
{
    [Fact]
    public void Frames_are_taken_in_ascending_order_whatever_order_they_came_free_in()
    {
        FreeFrames free = new(10_000);
        uint[] frames = [.. Enumerable.Range(1, 10_000).Select(frame => (uint)frame)];
        new Random(1).Shuffle(frames);
        Array.ForEach(frames, free.Add);
        Assert.Equal(10_000, free.Count);
        for (uint frame = 1; frame <= 10_000; frame++)
        {
            Assert.Equal(frame, free.Take());
        }

        Assert.Equal(0u, free.Take());
        Assert.Equal(0, free.Count);
    }

    [Fact]
    public void Who_takes_goes_on_behind_the_last_that_was_taken_and_begins_anew_at_the_end()
    {
        FreeFrames free = new(1_000_000);
        free.Add(70);
        free.Add(999_999);
        Assert.Equal(70u, free.Take());
        free.Add(1);
        Assert.Equal(999_999u, free.Take());
        Assert.Equal(1u, free.Take());
        Assert.Equal(0u, free.Take());
    }

    /// <summary>A thread may be held up between taking the last frame of a word and saying that the word is empty.</summary>
    [Fact]
    public void Nobody_waits_for_one_who_has_emptied_a_word_and_not_said_so()
    {
        FreeFrames free = new(10_000);
        free.Add(5000);
        SummaryOf(free)[0] |= 1;
        Assert.Equal(5000u, free.Take());
        free.Add(7);
        Assert.Equal(7u, free.Take());
        Assert.Equal(0u, free.Take());
    }

    /// <summary>Against a set: what is taken was free, and the next behind the last, word by word.</summary>
    [Fact]
    public void It_agrees_with_a_set_of_free_frames() =>
        Gen.Select(Gen.Int[1, 5000], Gen.Int[0, int.MaxValue], Gen.Bool.Array[0, 400]).Sample((maximum, seed, takes) =>
        {
            FreeFrames free = new((uint)maximum);
            Random random = new(seed);
            SortedSet<uint> model = [];
            uint word = 0;
            foreach (bool take in takes)
            {
                if (!take)
                {
                    uint frame = (uint)random.Next(1, maximum + 1);
                    if (model.Add(frame))
                    {
                        free.Add(frame);
                    }

                    continue;
                }

                uint expected = model.GetViewBetween(word * 64, uint.MaxValue).FirstOrDefault(model.FirstOrDefault());
                word = expected == 0 ? word : expected / 64;
                model.Remove(expected);
                Assert.Equal(expected, free.Take());
                Assert.Equal(model.Count, free.Count);
            }
        });

    /// <summary>
    /// Each frame has one holder at a time, none is lost, and nobody is refused while one is free: there are as many frames as all
    /// can hold together.
    /// </summary>
    [Theory]
    [InlineData(4, 3, 12)]
    [InlineData(4, 3, 200)]
    [InlineData(8, 40, 320)]
    public void Many_take_and_free_at_the_same_time(int threads, int each, int frames)
    {
        FreeFrames free = new(100_000);
        int failures = 0;
        int[] holders = new int[100_001];
        for (int i = 0; i < frames; i++)
        {
            // Some share a word, and some have one of their own.
            free.Add((uint)(1 + (i * 37 % 100_000)));
        }

        Thread[] started = [.. Enumerable.Range(0, threads).Select(number => new Thread(() => Work(new Random(number))))];
        Array.ForEach(started, thread => thread.Start());
        Array.ForEach(started, thread => thread.Join());
        Assert.Equal(0, Volatile.Read(ref failures));
        Assert.Equal(frames, free.Count);
        Assert.Equal(frames, Enumerable.Range(0, frames).Select(_ => free.Take()).Distinct().Count(frame => frame != 0));
        Assert.Equal(0u, free.Take());

        void Work(Random random)
        {
            Stack<uint> held = new();
            for (int i = 0; i < 50_000; i++)
            {
                if (held.Count < each && (held.Count == 0 || random.Next(2) == 0))
                {
                    uint frame = free.Take();
                    if (frame == 0 || Interlocked.Increment(ref holders[frame]) != 1)
                    {
                        Interlocked.Increment(ref failures);
                        return;
                    }

                    held.Push(frame);
                }
                else
                {
                    uint frame = held.Pop();
                    Interlocked.Decrement(ref holders[frame]);
                    free.Add(frame);
                }
            }

            while (held.TryPop(out uint frame))
            {
                Interlocked.Decrement(ref holders[frame]);
                free.Add(frame);
            }
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_summary")]
    private static extern ref ulong[] SummaryOf(FreeFrames free);
}
