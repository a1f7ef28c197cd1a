package standin.cluster;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.jgroups.BytesMessage;
import org.jgroups.JChannel;
import org.jgroups.Message;
import org.jgroups.Receiver;
import org.jgroups.View;
import standin.Log;

/** The channel between the nodes. The first member of the group is the master. */
public final class Cluster implements Receiver, AutoCloseable {
  private final String node;
  private final int nodeLimit;
  private final Consumer<String> onMessage;
  private final JChannel channel;
  private volatile List<String> members = List.of();
  private volatile boolean licensed = true;

  /**
   * @param stack configuration/jgroups.xml; if it does not exist the engine's own stack with UDP multicast is used
   */
  public Cluster(Path stack, String name, String node, int nodeLimit, Consumer<String> onMessage) throws Exception {
    this.node = node;
    this.nodeLimit = nodeLimit;
    this.onMessage = onMessage;
    try (InputStream in = Files.exists(stack) ? Files.newInputStream(stack)
        : Cluster.class.getResourceAsStream("/standin/jgroups-default.xml")) {
      this.channel = new JChannel(in);
    }
    channel.setName(node);
    channel.setReceiver(this);
    channel.setDiscardOwnMessages(true);
    channel.connect(name);
  }

  public List<String> members() {
    return members;
  }

  public boolean isMaster() {
    View view = channel.getView();
    return view != null && view.getCoord().equals(channel.getAddress());
  }

  public boolean isLicensed() {
    return licensed;
  }

  public void send(String message) {
    try {
      channel.send(new BytesMessage(null, message.getBytes(StandardCharsets.UTF_8)));
    } catch (Exception e) {
      Log.error("The message '" + message + "' did not reach the cluster", e);
    }
  }

  @Override
  public void viewAccepted(View view) {
    members = view.getMembers().stream().map(Object::toString).toList();
    Log.info("Cluster members: " + String.join(", ", members));
    // A node that rejoins quickly is in the list twice for a while and must not count twice.
    if (members.stream().distinct().toList().indexOf(node) >= nodeLimit && licensed) {
      licensed = false;
      Log.error("The licence allows " + nodeLimit + " nodes: this node is not licensed and answers 503 until its restart");
    }
  }

  @Override
  public void receive(Message message) {
    onMessage.accept(new String(message.getArray(), message.getOffset(), message.getLength(), StandardCharsets.UTF_8));
  }

  @Override
  public void close() {
    channel.close();
  }
}
