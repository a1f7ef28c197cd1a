package standin.database;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The system database of the demo mode, which is lost when the engine stops. */
public final class MemoryDatabase implements SystemDatabase {
  private final List<Note> notes = new ArrayList<>();
  private final Map<String, Release> releases = new LinkedHashMap<>();
  private final Map<String, NodeEntry> nodes = new LinkedHashMap<>();

  @Override
  public boolean isAvailable() {
    return true;
  }

  @Override
  public synchronized Note addNote(String application, String text, String node) {
    var note = new Note(notes.size() + 1L, application, text, node, Instant.now());
    notes.add(note);
    return note;
  }

  @Override
  public synchronized boolean changeNote(String application, long id, String text) {
    Optional<Note> old = note(application, id);
    old.ifPresent(note -> notes.set((int) id - 1, new Note(id, application, text, note.node(), note.createdAt())));
    return old.isPresent();
  }

  @Override
  public synchronized Optional<Note> note(String application, long id) {
    return notes.stream().filter(note -> note.id() == id && note.application().equals(application)).findFirst();
  }

  @Override
  public synchronized List<Note> notes(String application, int limit) {
    var found = new ArrayList<>(notes.stream().filter(note -> note.application().equals(application)).toList());
    Collections.reverse(found);
    return found.subList(0, Math.min(limit, found.size()));
  }

  @Override
  public synchronized List<Note> allNotes() {
    return List.copyOf(notes);
  }

  @Override
  public synchronized List<Release> releases() {
    return List.copyOf(releases.values());
  }

  @Override
  public synchronized Release release(String application, String digest, String node) {
    return releases.compute(application, (name, current) -> current != null && current.digest().equals(digest)
        ? current : new Release(name, current == null ? 1 : current.version() + 1, digest));
  }

  @Override
  public synchronized void setNodeState(NodeEntry node) {
    nodes.put(node.name(), node);
  }

  @Override
  public synchronized List<NodeEntry> nodes() {
    return List.copyOf(nodes.values());
  }

  @Override
  public void close() {}
}
